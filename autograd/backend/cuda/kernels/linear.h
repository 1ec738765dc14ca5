// What linear.cu gives to the linear layer: bias, activation and column sums where cuBLASLt has none.
#pragma once

#include "autograd/backend/kernel_table.h"

namespace sesame::cuda {

// pre = x + bias (stored when `pre` has data), y = activation(pre). x, y, pre [rows, cols] of one type, rows
// may be apart, y or pre may be x; bias [cols] or no data.
void bias_activation(Activation activation, const View& y, const View& x, const View& bias, const View& pre);

// KernelTable::bias_activation_backward.
void bias_activation_backward(Activation activation, const View& dpre, const View& dbias, const View& dy,
                              const View& pre);

}  // namespace sesame::cuda
