#include "autograd/segments.h"

#include <algorithm>
#include <limits>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

namespace sesame {

struct Segments::Data {
  std::vector<std::int64_t> lengths;
  SegmentsOptions options;
  std::int64_t end = 0;
  std::vector<std::int32_t> host_index;  // begin, length, prefix, example: [4 count]
  std::vector<std::int64_t> host_keys;   // token_keys, example_keys: [end + count]
  Tensor index, keys;                    // the same on the device, one upload each
  Tensor token_keys, example_keys;
  SegmentsView view;
};

namespace {

void append_narrow(std::vector<std::int32_t>& out, const std::vector<std::int64_t>& values) {
  for (std::int64_t value : values) {
    SESAME_CHECK(value >= 0 && value <= std::numeric_limits<std::int32_t>::max(), "segments",
                 "{} does not fit: offsets and lengths are 0 to 2^31 - 1", value);
    out.push_back(static_cast<std::int32_t>(value));
  }
}

void fill_defaults(const std::vector<std::int64_t>& lengths, SegmentsOptions& options) {
  const std::size_t n = lengths.size();
  if (options.begins.empty()) {
    std::int64_t row = 0;
    for (std::int64_t length : lengths) {
      options.begins.push_back(row);
      row += length;
    }
  }
  if (options.prefixes.empty()) options.prefixes = lengths;
  if (options.examples.empty()) {
    for (std::size_t i = 0; i < n; ++i) options.examples.push_back(static_cast<std::int64_t>(i));
  }
  if (options.firsts.empty()) options.firsts.assign(n, 0);
  SESAME_CHECK(
      options.begins.size() == n && options.prefixes.size() == n && options.examples.size() == n &&
          options.firsts.size() == n,
      "segments", "{} lengths, {} begins, {} prefixes, {} examples, {} first positions: must be as many", n,
      options.begins.size(), options.prefixes.size(), options.examples.size(), options.firsts.size());
}

}  // namespace

Segments::Segments(const std::vector<std::int64_t>& lengths, const SegmentsOptions& options) {
  auto data = std::make_shared<Data>();
  data->lengths = lengths;
  data->options = options;
  fill_defaults(lengths, data->options);
  const SegmentsOptions& o = data->options;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    SESAME_CHECK(lengths[i] >= 0, "segments", "segment {} has length {}", i, lengths[i]);
    SESAME_CHECK(o.prefixes[i] >= 0 && o.prefixes[i] <= lengths[i], "segments",
                 "segment {} has prefix {}, beyond its length {}", i, o.prefixes[i], lengths[i]);
    data->end = std::max(data->end, o.begins[i] + lengths[i]);
    data->view.total += lengths[i];
    data->view.max_length = std::max(data->view.max_length, lengths[i]);
  }
  SESAME_CHECK(o.rows == 0 || o.rows >= data->end, "segments", "{} rows are fewer than the segments' {}",
               o.rows, data->end);
  data->end = std::max(data->end, o.rows);
  // Nothing that kernels are chosen by may depend on what fills a frame.
  if (o.rows != 0) data->view.total = o.rows;
  data->view.max_length = std::max(data->view.max_length, o.longest);
  const auto n = static_cast<std::int64_t>(lengths.size());
  for (const auto* values : {&o.begins, &lengths, &o.prefixes, &o.examples}) {
    append_narrow(data->host_index, *values);
  }
  data->host_keys.assign(static_cast<std::size_t>(data->end + n), 0);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const std::int64_t example = o.examples[i] << 32;
    data->host_keys[static_cast<std::size_t>(data->end) + i] = example;
    for (std::int64_t t = 0; t < lengths[i]; ++t) {
      data->host_keys[static_cast<std::size_t>(o.begins[i] + t)] = example | (o.firsts[i] + t);
    }
  }
  data->index = Tensor::from(data->host_index, o.device);
  data->keys = Tensor::from(data->host_keys, o.device);
  data->token_keys = data->keys.slice(0, 0, data->end);
  data->example_keys = data->keys.slice(0, data->end, data->end + n);
  data->view.count = n;
  const auto* index = static_cast<const std::int32_t*>(data->index.view().data);
  data->view.begin = index;
  data->view.length = index + n;
  data->view.prefix = index + 2 * n;
  data->view.example = index + 3 * n;
  data_ = std::move(data);
}

const SegmentsView& Segments::view() const {
  SESAME_CHECK(data_ != nullptr, "segments", "empty Segments object: construct it from lengths");
  return data_->view;
}

std::int64_t Segments::end() const { return view(), data_->end; }

std::int64_t Segments::begin(std::int64_t i) const {
  SESAME_CHECK(0 <= i && i < count(), "segments", "segment {} of {} asked for", i, count());
  return data_->options.begins[static_cast<std::size_t>(i)];
}

std::int64_t Segments::length(std::int64_t i) const {
  SESAME_CHECK(0 <= i && i < count(), "segments", "segment {} of {} asked for", i, count());
  return data_->lengths[static_cast<std::size_t>(i)];
}

Device Segments::device() const { return view(), data_->options.device; }

Segments Segments::to(Device device) const {
  if (device == this->device()) return *this;
  SegmentsOptions options = data_->options;
  options.device = device;
  return Segments(data_->lengths, options);
}

bool Segments::cover(std::int64_t rows) const { return total() == rows && data_->options.rows == 0; }

Segments Segments::padded(std::int64_t count, std::int64_t rows, std::int64_t longest, Device device) const {
  SESAME_CHECK(count >= this->count() && rows >= end() && longest >= max_length(), "segments",
               "{} segments of {} rows, the longest of {}, do not fit into {}, {} and {}", this->count(),
               end(), max_length(), count, rows, longest);
  SegmentsOptions options = data_->options;
  std::vector<std::int64_t> lengths = data_->lengths;
  const auto n = static_cast<std::size_t>(count);
  for (auto* values : {&lengths, &options.begins, &options.prefixes, &options.examples, &options.firsts}) {
    values->resize(n, 0);
  }
  options.rows = rows;
  options.longest = longest;
  options.device = device;
  return Segments(lengths, options);
}

void Segments::overwrite(const Segments& other) const {
  SESAME_CHECK(other.count() == count() && other.end() == end() && other.max_length() == max_length(),
               "segments", "{} segments of {} rows cannot take the place of {} of {}", other.count(),
               other.end(), count(), end());
  const auto copy = [](const Tensor& to, const auto& from) {
    if (!from.empty())
      kernels(to.device()).copy_from_host(to.view().data, from.data(), from.size() * sizeof(from[0]));
  };
  copy(data_->index, other.data_->host_index);
  copy(data_->keys, other.data_->host_keys);
}

const Tensor& Segments::token_keys() const { return view(), data_->token_keys; }
const Tensor& Segments::example_keys() const { return view(), data_->example_keys; }

Tensor Segments::first_rows() const {
  for (std::int64_t i = 0; i < count(); ++i) {
    SESAME_CHECK(length(i) > 0, "segments", "segment {} is empty and has no first row", i);
  }
  return Tensor::from(data_->options.begins, device());
}

Segments Segments::first_only() const {
  SegmentsOptions options;
  options.examples = data_->options.examples;
  options.firsts = data_->options.firsts;
  options.device = device();
  return Segments(std::vector<std::int64_t>(data_->lengths.size(), 1), options);
}

}  // namespace sesame
