// Values to time with. Not constants: products of equal numbers take less power, and so less time, on
// devices.
#pragma once

#include "autograd/tensor.h"

namespace sesame {

// Uniform in +-1; large tensors repeat the same million values.
Tensor random_values(const Shape& shape, TensorOptions options);

}  // namespace sesame
