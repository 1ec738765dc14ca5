// In-place parameter updates, straight to the kernels: no graph is involved, and nothing waits for a device.
// nn/optim/ holds the optimisers.
#pragma once

#include <vector>

#include "autograd/tensor.h"

namespace sesame {

// One parameter of an AdamW update: weight, m and v are written. Equal shape and dtype, contiguous but for
// grad.
struct AdamWSlot {
  Tensor weight, grad, m, v;
  std::int64_t slot = 0;  // its place in AdamWStep::updates
  double lr_factor = 1, weight_decay = 0;
};

// What all parameters of an update share. The tensors are float64 on the device of the parameters.
struct AdamWStep {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  bool bias_correction = true;
  Tensor rates;  // [3]: learning rate, largest norm (0: no clipping), factor on gradients
  Tensor
      norm;  // one element: of all gradients; the update is left out where it is not finite. May be undefined
  Tensor updates;  // [slots]: updates of each slot so far, counted here
};

// One AdamW update of all slots; see AdamWArgs for the formulas.
void adamw_step(const std::vector<AdamWSlot>& slots, const AdamWStep& step);

struct SgdStep {
  double lr = 0, momentum = 0, weight_decay = 0, grad_scale = 1;
};
// g = grad * scale + decay * w; buffer = momentum * buffer + g (undefined: plain); w -= lr * buffer.
void sgd_step(Tensor weight, const Tensor& grad, Tensor momentum_buffer, const SgdStep& step);

// Sums of squares of all elements of each tensor, in double, then 0 for each guard, then the root of their
// total: [tensors + guards + 1] float64 on their device. Undefined tensors count as empty. What is not finite
// in a tensor or a guard makes its sum and the total so.
Tensor square_sums(const std::vector<Tensor>& tensors, const std::vector<Tensor>& guards = {});

// The sum of squares of one tensor; waits for it.
double sum_of_squares(const Tensor& x);

}  // namespace sesame
