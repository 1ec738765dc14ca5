// Clipping by the global norm (Pascanu, Mikolov & Bengio 2013).
#pragma once

#include <vector>

#include "nn/module.h"

namespace sesame {

// L2 norm of all gradients together, summed in double; 0 when there are none. Not finite when a gradient is
// not.
double global_grad_norm(const std::vector<NamedParameter>& parameters);

// Factor that brings a gradient of this norm down to max_norm, 1 if it is smaller; max_norm <= 0: no
// clipping. Handed to Optimizer::step, so that clipping costs no pass over memory of its own.
double clip_factor(double norm, double max_norm);

}  // namespace sesame
