#include "models/bert/recorded.h"

#include <algorithm>
#include <bit>

#include "autograd/check.h"
#include "autograd/precision.h"
#include "autograd/random.h"
#include "models/adapters/adapters.h"

namespace sesame {
namespace {

// Rows times width up to which passes are recorded: a layer's kernels then take a few microseconds each,
// about what it takes to start one.
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 20;
constexpr std::size_t kMostFrames = 128;

// Eight sizes for each power of two, multiples of 16 at least: a sixteenth is filler on average.
std::int64_t rounded_rows(std::int64_t rows) {
  const auto power =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(rows, 1))));
  const std::int64_t step = std::max<std::int64_t>(16, power / 8);
  return (rows + step - 1) / step * step;
}

std::int64_t rounded_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

// What a batch's sizes are rounded up to.
struct FrameSizes {
  std::int64_t rows, count, longest;
};

FrameSizes sizes_for(const Segments& segments) {
  return {rounded_rows(segments.end()), rounded_up(segments.count(), segments.count() > 4 ? 4 : 1),
          rounded_up(segments.max_length(), 32)};
}

// The batch with filler rows and empty segments; ids of filler rows are 0, as are their positions and types.
PackedBatch padded_batch(const PackedBatch& batch, const FrameSizes& sizes) {
  const auto longer = [&](const Tensor& x) {
    const Tensor filled = Tensor::zeros({sizes.rows}, x.options());
    filled.slice(0, 0, x.size(0)).copy_(x);
    return filled;
  };
  return {longer(batch.ids), longer(batch.position_ids), longer(batch.type_ids),
          batch.segments.padded(sizes.count, sizes.rows, sizes.longest, batch.ids.device())};
}

// Lays a batch into a frame. Filler rows keep what they held: no row of the batch ever sees them.
void overwrite(const PackedBatch& frame, const PackedBatch& batch, const FrameSizes& sizes) {
  const std::int64_t rows = batch.segments.end();
  frame.ids.slice(0, 0, rows).copy_(batch.ids);
  frame.position_ids.slice(0, 0, rows).copy_(batch.position_ids);
  frame.type_ids.slice(0, 0, rows).copy_(batch.type_ids);
  frame.segments.overwrite(batch.segments.padded(sizes.count, sizes.rows, sizes.longest, Device{}));
}

// Where the parameters lie, which of them are trained, and which adapter is active.
std::uint64_t digest(const Bert& bert, const std::vector<NamedParameter>& parameters) {
  std::uint64_t sum = hash_text(active_adapter(bert));
  for (const NamedParameter& p : parameters) {
    sum = mix_key(
        sum, reinterpret_cast<std::uintptr_t>(p.tensor.view().data) + (p.tensor.requires_grad() ? 1 : 0));
  }
  return sum;
}

// What was recorded reads the twins as they are: casts belong in front of it.
void refresh_twins(const std::vector<NamedParameter>& parameters) {
  for (const NamedParameter& p : parameters) {
    if (p.tensor.storage()->twin != nullptr) bfloat16_twin(p.tensor);
  }
}

}  // namespace

bool RecordedBert::worth_it(const Bert& bert, const PackedBatch& batch) {
  return RecordingScope::active() && batch.segments.end() * bert.width() <= kMostNumbers &&
         can_record(batch.ids.device());
}

std::vector<Tensor> RecordedBert::states(const Bert& bert, const PackedBatch& batch,
                                         const BertForward& asked) {
  BertForward options = asked;
  options.only_first = false;  // a few rows less in the last layer are no gain here
  const std::vector<NamedParameter> parameters = bert.parameters();
  const FrameSizes sizes = sizes_for(batch.segments);
  const auto modes =
      static_cast<std::uint64_t>(options.all_hidden) * 16 + static_cast<std::uint64_t>(bert.training()) * 8 +
      static_cast<std::uint64_t>(grad_enabled()) * 4 + static_cast<std::uint64_t>(options.pattern);
  const Key key = {static_cast<std::uint64_t>(sizes.rows),      static_cast<std::uint64_t>(sizes.count),
                   static_cast<std::uint64_t>(sizes.longest),   modes,
                   static_cast<std::uint64_t>(compute_dtype()), digest(bert, parameters)};
  if (!frames_.contains(key) && frames_.size() >= kMostFrames) frames_.clear();
  Frame& frame = frames_[key];
  refresh_twins(parameters);
  std::vector<Tensor> states;
  if (frame.uses++ == 0 || frame.refused) {
    states = bert.states(padded_batch(batch, sizes), options);
  } else {
    if (frame.function == nullptr) {
      frame.batch = padded_batch(batch, sizes);
      record(bert, options, parameters, frame);
    } else {
      overwrite(frame.batch, batch, sizes);
    }
    states = frame.refused ? bert.states(frame.batch, options) : frame.function->call();
  }
  for (Tensor& state : states) state = state.slice(0, 0, batch.segments.end());
  return states;
}

void RecordedBert::record(const Bert& bert, const BertForward& options,
                          const std::vector<NamedParameter>& parameters, Frame& frame) {
  std::vector<Tensor> tensors;
  for (const NamedParameter& p : parameters) tensors.push_back(p.tensor);
  try {
    frame.function = std::make_shared<RecordedFunction>(
        space_, [&] { return bert.states(frame.batch, options); }, tensors);
  } catch (const Error& error) {
    frame.refused = true;
    fmt::print(stderr, "batches of {} rows run unrecorded: {}\n", frame.batch.segments.end(), error.what());
  }
}

}  // namespace sesame
