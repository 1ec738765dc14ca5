// Mixed precision: the layers of an encoder compute in bfloat16 while parameters, what the optimiser keeps,
// heads and losses stay float32. Ops let parameters follow the type of their input (ops/op_support.h).
#pragma once

#include "autograd/tensor.h"

namespace sesame {

// While one lives on the thread, to_compute() casts float32 to `compute`. Float32: it casts nothing.
class MixedPrecision {
 public:
  explicit MixedPrecision(DType compute);
  ~MixedPrecision();
  MixedPrecision(const MixedPrecision&) = delete;
  MixedPrecision& operator=(const MixedPrecision&) = delete;

 private:
  DType previous_;
};

// What the innermost one asks for; float32 without one.
DType compute_dtype();

// On the way into layers that may compute in a smaller type, and out of them. Recorded in the graph.
Tensor to_compute(const Tensor& x);
Tensor from_compute(const Tensor& x);

}  // namespace sesame
