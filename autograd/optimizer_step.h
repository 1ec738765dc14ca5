// In-place parameter updates, straight to the kernels: no graph is involved. nn/optim/ holds the optimisers.
#pragma once

#include "autograd/tensor.h"

namespace sesame {

struct AdamWStep {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  double bias1 = 1, bias2 = 1;  // 1 - beta^t; 1 switches the bias correction off
  double grad_scale = 1;        // clipping folded in
};
// One AdamW update of weight, m and v (equal shape and dtype, contiguous). See AdamWArgs for the formula.
void adamw_step(Tensor weight, const Tensor& grad, Tensor m, Tensor v, const AdamWStep& step);

struct SgdStep {
  double lr = 0, momentum = 0, weight_decay = 0, grad_scale = 1;
};
// g = grad * scale + decay * w; buffer = momentum * buffer + g (undefined: plain); w -= lr * buffer.
void sgd_step(Tensor weight, const Tensor& grad, Tensor momentum_buffer, const SgdStep& step);

// Sum of squares of all elements, in double; not finite when an element is not.
double sum_of_squares(const Tensor& x);

}  // namespace sesame
