#include "nn/layers/linear.h"

#include "autograd/check.h"
#include "autograd/ops/matmul.h"

namespace sesame {

Linear::Linear(std::int64_t in, std::int64_t out, LinearOptions options) : activation_(options.activation) {
  SESAME_CHECK(in > 0 && out > 0, "Linear", "sizes must be positive, got {} -> {}", in, out);
  weight = Tensor::zeros({out, in});
  register_parameter("weight", weight);
  if (options.bias) {
    bias = Tensor::zeros({out});
    register_parameter("bias", bias);
  }
}

Tensor Linear::forward(const Tensor& x) const { return linear(x, weight, bias, activation_); }

}  // namespace sesame
