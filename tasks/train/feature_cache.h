// What a frozen trunk says about each example, kept over the epochs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "models/trunk_model.h"

namespace sesame {

class FeatureCache {
 public:
  // Keeps at most so many bytes; examples beyond are computed each time, which is said once on stderr.
  explicit FeatureCache(std::int64_t limit_bytes) : limit_(limit_bytes) {}

  using Compute = std::function<TrunkRows(std::span<const std::int64_t> examples)>;
  // Rows of the examples (any numbers that name them), in order; `compute` makes those that are missing.
  TrunkRows rows(std::span<const std::int64_t> examples, const Compute& compute);

  // Names of development examples, apart from those of the training examples (their numbers); in pieces for
  // one pass each, of examples that may be `longest` tokens long.
  static std::vector<std::vector<std::int64_t>> dev_chunks(std::size_t examples, std::int64_t batch_tokens,
                                                           std::size_t longest);
  static std::int64_t dev_name(std::size_t i) { return -1 - static_cast<std::int64_t>(i); }
  static std::size_t dev_index(std::int64_t name) { return static_cast<std::size_t>(-1 - name); }
  std::int64_t bytes() const { return bytes_; }
  std::size_t size() const { return kept_.size(); }

 private:
  // A copy of [N, H] that stays. Tensors of their own would sit on blocks that the allocator hands down from
  // larger temporaries, and take up to four times what the limit counts.
  Tensor store(const Tensor& rows);

  std::int64_t limit_, bytes_ = 0;
  bool said_ = false;
  std::size_t states_ = 0;
  Tensor slab_;  // where examples are kept side by side, [N, H]; the rows below used_ are taken
  std::int64_t used_ = 0;
  std::unordered_map<std::int64_t, Tensor> kept_;  // [states * rows, H], state by state
};

}  // namespace sesame
