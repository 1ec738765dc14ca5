// Segments: where the sequences of a packed batch lie. Token rows of all sequences stand end to end in [T,
// ...] tensors; nothing is padded, nothing is masked. Ops take the offsets from here and never read them back
// from a device.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "autograd/tensor.h"

namespace sesame {

struct SegmentsOptions {
  // First row of each; default: end to end from row 0.
  std::vector<std::int64_t> begins = {};
  // Source length of each for AttentionPattern::Prefix; default: whole length.
  std::vector<std::int64_t> prefixes = {};
  // Index of each example in the whole step; default: 0, 1, 2, ...
  std::vector<std::int64_t> examples = {};
  // Position of the first row in its example; default: 0.
  std::vector<std::int64_t> firsts = {};
  Device device = {};
};

// Immutable and cheap to copy. Lengths may be zero.
class Segments {
 public:
  Segments() = default;
  // Throws Error for negative lengths, prefixes beyond the length, or lists of different sizes.
  explicit Segments(const std::vector<std::int64_t>& lengths, const SegmentsOptions& options = {});

  std::int64_t count() const { return view().count; }
  std::int64_t total() const { return view().total; }  // rows in segments
  std::int64_t max_length() const { return view().max_length; }
  std::int64_t end() const;  // one past the last row that belongs to a segment
  std::int64_t begin(std::int64_t i) const;
  std::int64_t length(std::int64_t i) const;
  Device device() const;
  Segments to(Device device) const;

  // Arrays on the device, for kernels.
  const SegmentsView& view() const;
  // Keys of random draws: [end()] int64, example << 32 | position in the example; rows between segments get
  // 0.
  const Tensor& token_keys() const;
  // [count] int64, example << 32: for tensors with one row per sequence.
  const Tensor& example_keys() const;
  // Row of each segment's first token ([CLS]), [count] int64. Throws when a segment is empty.
  Tensor first_rows() const;
  // Segments over these rows once they are gathered: one row each, with the same keys of random draws.
  Segments first_only() const;

 private:
  struct Data;
  std::shared_ptr<const Data> data_;
};

}  // namespace sesame
