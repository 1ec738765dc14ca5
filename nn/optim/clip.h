// Clipping by the global norm (Pascanu, Mikolov & Bengio 2013).
#pragma once

#include <vector>

#include "nn/module.h"

namespace sesame {

// Of all gradients together, computed where they lie; nothing waits for it.
struct GradientNorm {
  // [parameters + losses + 1] float64 on their device: the sum of squares of each gradient (0: there is
  // none), a 0 for each loss, and the global L2 norm. What is not finite in a gradient or a loss makes its
  // entry and the norm so.
  Tensor numbers;
  Tensor norm() const { return numbers.slice(0, numbers.numel() - 1, numbers.numel()); }  // [1]
};
GradientNorm gradient_norm(const std::vector<NamedParameter>& parameters,
                           const std::vector<Tensor>& losses = {});

// L2 norm of all gradients together, summed in double; 0 when there are none. Not finite when a gradient is
// not. Waits for the device.
double global_grad_norm(const std::vector<NamedParameter>& parameters);

// Factor that brings a gradient of this norm down to max_norm, 1 if it is smaller; max_norm <= 0: no
// clipping. Handed to Optimizer::step, so that clipping costs no pass over memory of its own.
double clip_factor(double norm, double max_norm);

}  // namespace sesame
