#include "nn/layers/layer_norm.h"

#include "autograd/ops/norm.h"

namespace sesame {

LayerNorm::LayerNorm(std::int64_t width, double eps)
    : weight(Tensor::ones({width})), bias(Tensor::zeros({width})), eps_(eps) {
  register_parameter("weight", weight);
  register_parameter("bias", bias);
}

Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, weight, bias, eps_); }

Tensor LayerNorm::forward(const Tensor& x, const Tensor& residual, const DropoutSpec& dropout,
                          const Tensor& row_keys) const {
  return dropout_add_layer_norm(x, residual, weight, bias, eps_, dropout, row_keys);
}

}  // namespace sesame
