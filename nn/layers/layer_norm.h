// LayerNorm over the last axis (Ba, Kiros & Hinton 2016).
#pragma once

#include "autograd/backend/kernel_table.h"
#include "nn/module.h"

namespace sesame {

class LayerNorm : public Module {
 public:
  explicit LayerNorm(std::int64_t width, double eps = 1e-12);

  // x [T, width] -> [T, width].
  Tensor forward(const Tensor& x) const;
  // layer_norm(residual + dropout(x)) in one pass; see dropout_add_layer_norm.
  Tensor forward(const Tensor& x, const Tensor& residual, const DropoutSpec& dropout,
                 const Tensor& row_keys) const;

  Tensor weight, bias;  // [width]

 private:
  double eps_;
};

}  // namespace sesame
