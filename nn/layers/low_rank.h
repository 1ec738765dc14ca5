// LowRankLinear: a linear layer that may carry a low-rank update, LoRA (Hu et al. 2022, eq. 3):
//   y = x W^T + b + (alpha / r) (x A^T) B^T,   A [r, in], B [out, r]
// A starts uniform in +-1/sqrt(in), B at zero, so that the update starts at nothing. No dropout on x. Names
// of parameters are those of the library PEFT: lora_A.weight, lora_B.weight beside weight and bias.
#pragma once

#include <cstdint>
#include <memory>

#include "nn/layers/linear.h"

namespace sesame {

struct LowRankOptions {
  std::int64_t rank = 8;
  double alpha = 8;
};

class LowRankLinear : public Linear {
 public:
  using Linear::Linear;

  // Throws Error when there is an update already or the rank is not positive. `seed` draws A.
  void add_low_rank(const LowRankOptions& options, std::uint64_t seed);
  bool has_low_rank() const { return lora_a_ != nullptr; }
  const LowRankOptions& low_rank() const { return options_; }

  // x [T, in] -> [T, out].
  Tensor forward(const Tensor& x) const;
  // (alpha / r) (x A^T) B^T; only with an update.
  Tensor low_rank_part(const Tensor& x) const;
  // W += (alpha / r) B A, and the update is gone. Does nothing without one.
  void merge_low_rank();

 private:
  LowRankOptions options_;
  std::unique_ptr<Linear> lora_a_, lora_b_;
};

}  // namespace sesame
