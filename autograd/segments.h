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
  // Rows of the batch and the longest length that kernels are prepared for, where they are more than the
  // segments need (filler rows belong to no segment); 0: what the segments need.
  std::int64_t rows = 0, longest = 0;
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
  std::int64_t end() const;  // rows of the batch: one past the last that belongs to a segment, or more
  // Whether each of `rows` rows certainly belongs to a segment.
  bool cover(std::int64_t rows) const;
  std::int64_t begin(std::int64_t i) const;
  std::int64_t length(std::int64_t i) const;
  Device device() const;
  Segments to(Device device) const;
  // The same sequences with sizes rounded up: empty segments up to `count`, filler rows up to `rows`.
  Segments padded(std::int64_t count, std::int64_t rows, std::int64_t longest, Device device) const;
  // Takes over the arrays of another object with equal count(), end() and max_length() into the memory of
  // this one: kernels that were recorded with this one see them then. What it says on the host stays.
  void overwrite(const Segments& other) const;

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
