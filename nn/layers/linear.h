// Linear: y = activation(x W^T + b).
#pragma once

#include "autograd/backend/kernel_table.h"
#include "nn/module.h"

namespace sesame {

struct LinearOptions {
  bool bias = true;
  Activation activation = Activation::None;  // fused behind the product
};

class Linear : public Module {
 public:
  // Zero until initialised (nn/init.h) or loaded from a checkpoint.
  Linear(std::int64_t in, std::int64_t out, LinearOptions options = {});

  // x [T, in] -> [T, out].
  Tensor forward(const Tensor& x) const;

  Tensor weight;  // [out, in]
  Tensor bias;    // [out], undefined without

 private:
  Activation activation_;
};

}  // namespace sesame
