// Softmax along an axis.
#pragma once

#include "autograd/tensor.h"

namespace sesame {

// y_i = exp(x_i - max) / sum_j exp(x_j - max); dx = y (dy - sum(dy y)). An axis of size 0 is allowed.
Tensor softmax(const Tensor& x, int axis = -1);
// y_i = x_i - logsumexp(x); dx = dy - exp(y) sum(dy).
Tensor log_softmax(const Tensor& x, int axis = -1);

}  // namespace sesame
