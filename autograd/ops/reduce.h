// Reductions over axes. x (d0, ..., dn), `axes` the ones to reduce (empty: all); with keepdim they stay with size 1.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/tensor.h"

namespace sesame {

// y = sum of x; dx = dy broadcast back.
Tensor sum(const Tensor& x, const std::vector<int>& axes = {}, bool keepdim = false);
// y = sum / count; a mean over no elements throws.
Tensor mean(const Tensor& x, const std::vector<int>& axes = {}, bool keepdim = false);
// y = max along one axis; the gradient goes to the first maximum. Throws for an axis of size 0.
Tensor max(const Tensor& x, int axis, bool keepdim = false);
// Position of the first maximum along one axis, int64; not differentiable.
Tensor argmax(const Tensor& x, int axis, bool keepdim = false);

// The k largest of each row of x [rows, n], largest first, of equal ones the first; not differentiable. NaNs come
// last. Throws unless 1 <= k <= n.
struct TopK {
  Tensor values;  // [rows, k]
  Tensor index;   // [rows, k] int64
};
TopK top_k(const Tensor& x, std::int64_t k);

}  // namespace sesame
