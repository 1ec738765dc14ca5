#include "nn/layers/low_rank.h"

#include <cmath>

#include "autograd/check.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "nn/init.h"

namespace sesame {

void LowRankLinear::add_low_rank(const LowRankOptions& options, std::uint64_t seed) {
  SESAME_CHECK(!has_low_rank(), "LowRankLinear", "'{}' has a low-rank update already", path());
  SESAME_CHECK(options.rank > 0, "LowRankLinear", "the rank must be positive, got {}", options.rank);
  const std::int64_t out = weight.size(0), in = weight.size(1);
  options_ = options;
  lora_a_ = std::make_unique<Linear>(in, options.rank, LinearOptions{.bias = false});
  lora_b_ = std::make_unique<Linear>(options.rank, out, LinearOptions{.bias = false});
  register_module("lora_A", *lora_a_);
  register_module("lora_B", *lora_b_);
  const double bound = 1 / std::sqrt(static_cast<double>(in));
  init_uniform(lora_a_->weight, -bound, bound, init_key(seed, lora_a_->path() + ".weight"));
  lora_a_->to(weight.options());
  lora_b_->to(weight.options());
}

Tensor LowRankLinear::low_rank_part(const Tensor& x) const {
  const double scale = options_.alpha / static_cast<double>(options_.rank);
  return lora_b_->forward(lora_a_->forward(x) * scale);
}

Tensor LowRankLinear::forward(const Tensor& x) const {
  return has_low_rank() ? Linear::forward(x) + low_rank_part(x) : Linear::forward(x);
}

void LowRankLinear::merge_low_rank() {
  if (!has_low_rank()) return;
  const NoGradGuard no_grad;
  weight.add_(matmul(lora_b_->weight, lora_a_->weight), options_.alpha / static_cast<double>(options_.rank));
  unregister_module("lora_A");
  unregister_module("lora_B");
  lora_a_.reset();
  lora_b_.reset();
}

}  // namespace sesame
