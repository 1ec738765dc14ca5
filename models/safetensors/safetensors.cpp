#include "models/safetensors/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "autograd/check.h"
#include "models/io/mapped_file.h"
#include "models/io/strict_json.h"
#include "models/safetensors/dtypes.h"

namespace sesame {

static_assert(std::endian::native == std::endian::little, "the format is little-endian and is read in place");

namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr int kMaxHeaderDepth = 8;

SafetensorsMetadata read_metadata(const Json& value, const std::string& path) {
  SESAME_CHECK(value.is_object(), path, "__metadata__ must be an object of strings, found {}",
               value.type_name());
  SafetensorsMetadata metadata;
  for (const auto& [key, text] : value.items()) {
    SESAME_CHECK(text.is_string(), path, "__metadata__ may hold strings only, \"{}\" is {}", key,
                 text.type_name());
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

// Bytes of a tensor; every product is checked. A zero size does not excuse the others.
std::uint64_t byte_count(const SafetensorsEntry& entry, const SafetensorsDType& type,
                         const std::string& path) {
  std::uint64_t bits = type.bits;
  bool empty = false;
  for (const std::int64_t size : entry.shape) {
    empty |= size == 0;
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
    SESAME_CHECK(!__builtin_mul_overflow(bits, factor, &bits), path,
                 "tensor \"{}\": the product of its sizes overflows 64 bits", entry.name);
  }
  if (empty) return 0;
  SESAME_CHECK(bits % 8 == 0, path, "tensor \"{}\": {} bits of {} do not fill whole bytes", entry.name, bits,
               type.name);
  return bits / 8;
}

std::uint64_t read_unsigned(const Json& value, const std::string& name, const char* key,
                            const std::string& path) {
  SESAME_CHECK(value.is_number_unsigned(), path,
               "tensor \"{}\": {} must hold non-negative integers, found {}", name, key, json_text(value));
  return value.get<std::uint64_t>();
}

SafetensorsEntry read_entry(const std::string& name, const Json& value, const std::string& path) {
  SESAME_CHECK(value.is_object(), path, "tensor \"{}\" must be described by an object, found {}", name,
               value.type_name());
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    SESAME_CHECK(value.contains(key), path, "tensor \"{}\" lacks \"{}\"", name, key);
  }
  SESAME_CHECK(value.size() == 3, path, "tensor \"{}\" has keys besides dtype, shape and data_offsets", name);
  SafetensorsEntry entry;
  entry.name = name;
  SESAME_CHECK(value["dtype"].is_string(), path, "tensor \"{}\": dtype must be a string", name);
  entry.dtype = value["dtype"].get<std::string>();
  const SafetensorsDType* type = find_safetensors_dtype(entry.dtype);
  SESAME_CHECK(type != nullptr, path, "tensor \"{}\": unknown dtype \"{}\"", name, entry.dtype);
  SESAME_CHECK(value["shape"].is_array(), path, "tensor \"{}\": shape must be a list", name);
  for (const Json& size : value["shape"]) {
    const std::uint64_t number = read_unsigned(size, name, "shape", path);
    SESAME_CHECK(number <= static_cast<std::uint64_t>(INT64_MAX), path,
                 "tensor \"{}\": size {} is out of range", name, number);
    entry.shape.push_back(static_cast<std::int64_t>(number));
  }
  const Json& offsets = value["data_offsets"];
  SESAME_CHECK(offsets.is_array() && offsets.size() == 2, path,
               "tensor \"{}\": data_offsets must be [begin, end], found {}", name, json_text(offsets));
  entry.begin = read_unsigned(offsets[0], name, "data_offsets", path);
  entry.end = read_unsigned(offsets[1], name, "data_offsets", path);
  SESAME_CHECK(entry.begin <= entry.end, path, "tensor \"{}\": data_offsets [{}, {}] end before they begin",
               name, entry.begin, entry.end);
  const std::uint64_t bytes = byte_count(entry, *type, path);
  SESAME_CHECK(entry.end - entry.begin == bytes, path,
               "tensor \"{}\": {} of this shape takes {} bytes, data_offsets [{}, {}] hold {}", name,
               entry.dtype, bytes, entry.begin, entry.end, entry.end - entry.begin);
  return entry;
}

template <float (*convert)(std::uint16_t)>
Tensor widen(const unsigned char* source, const Shape& shape) {
  Tensor out = Tensor::empty(shape);
  float* values = out.mutable_data<float>();
  for (std::int64_t i = 0; i < out.numel(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, source + 2 * i, sizeof bits);
    values[i] = convert(bits);
  }
  return out;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(std::make_shared<MappedFile>(path)) {
  read_header();
  std::sort(entries_.begin(), entries_.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  for (std::size_t i = 0; i < entries_.size(); ++i) index_[entries_[i].name] = i;
  check_layout(file_->size() - static_cast<std::uint64_t>(data_ - file_->data()));
}

const std::string& SafetensorsFile::path() const { return file_->path(); }

void SafetensorsFile::read_header() {
  const std::string& path = file_->path();
  SESAME_CHECK(file_->size() >= kLengthBytes, path,
               "is {} bytes long: a safetensors file begins with 8 bytes of header length", file_->size());
  std::uint64_t length = 0;
  std::memcpy(&length, file_->data(), kLengthBytes);
  SESAME_CHECK(length <= kMaxHeaderBytes, path,
               "header length {} exceeds the format's limit of {} bytes: this is not a safetensors file",
               length, kMaxHeaderBytes);
  SESAME_CHECK(length <= file_->size() - kLengthBytes, path,
               "header length {} reaches beyond the end of the file ({} bytes): the file is truncated",
               length, file_->size());
  const std::string_view header = file_->text().substr(kLengthBytes, length);
  SESAME_CHECK(header.starts_with('{'), path, "the header must begin with {{ right behind its length");
  const Json document = parse_json(header, path, kMaxHeaderDepth);
  data_ = file_->data() + kLengthBytes + length;
  for (const auto& [name, value] : document.items()) {
    if (name == "__metadata__") {
      metadata_ = read_metadata(value, path);
    } else {
      entries_.push_back(read_entry(name, value, path));
    }
  }
}

// The data must be covered from its first to its last byte, by one tensor each.
void SafetensorsFile::check_layout(std::uint64_t data_bytes) const {
  std::uint64_t covered = 0;
  for (const SafetensorsEntry& entry : entries_) {
    SESAME_CHECK(entry.begin >= covered, path(),
                 "tensor \"{}\" begins at {} and overlaps the one before it (end {})", entry.name,
                 entry.begin, covered);
    SESAME_CHECK(entry.begin == covered, path(),
                 "hole in the data: {} bytes before tensor \"{}\" belong to none", entry.begin - covered,
                 entry.name);
    covered = entry.end;
    SESAME_CHECK(covered <= data_bytes, path(),
                 "tensor \"{}\" ends at {}, the data at {} bytes: the file is truncated", entry.name, covered,
                 data_bytes);
  }
  SESAME_CHECK(covered == data_bytes, path(), "{} bytes behind the last tensor belong to none",
               data_bytes - covered);
}

const SafetensorsEntry& SafetensorsFile::entry(std::string_view name) const {
  const auto found = index_.find(name);
  SESAME_CHECK(found != index_.end(), path(), "has no tensor \"{}\" (it holds {})", name, entries_.size());
  return entries_[found->second];
}

Tensor SafetensorsFile::tensor(std::string_view name) const {
  const SafetensorsEntry& found = entry(name);
  const SafetensorsDType& type = *find_safetensors_dtype(found.dtype);
  SESAME_CHECK(type.readable, path(), "tensor \"{}\" is {}, which cannot be read: store it as F32", name,
               found.dtype);
  SESAME_CHECK(found.shape.size() <= static_cast<std::size_t>(kMaxDim), path(),
               "tensor \"{}\" has {} axes, at most {} are supported", name, found.shape.size(), kMaxDim);
  const Shape shape(found.shape);
  const unsigned char* source = data_ + found.begin;
  if (found.dtype == "F16") return widen<half_to_float>(source, shape);
  if (found.dtype == "BF16") return widen<bfloat16_to_float>(source, shape);
  if (reinterpret_cast<std::uintptr_t>(source) % dtype_size(type.dtype) == 0) {
    return Tensor::borrow(source, shape, type.dtype, file_);
  }
  Tensor out = Tensor::empty(shape, {type.dtype});
  out.begin_write("safetensors");
  if (found.end > found.begin) std::memcpy(out.view().data, source, found.end - found.begin);
  return out;
}

}  // namespace sesame
