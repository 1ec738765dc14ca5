// Mixed precision: the layers of an encoder compute in bfloat16 while parameters, what the optimiser keeps,
// heads and losses stay float32. Ops whose input is bfloat16 read float32 parameters in that type and give
// them float32 gradients.
//
// | op | reads and writes | computes in |
// | --- | --- | --- |
// | `linear`, `linear_joined`, `matmul` | bfloat16, twins of float32 parameters | float32 sums |
// | bias and activation of `linear` | bfloat16 | float32 |
// | gradients of float32 weights and biases | float32 from bfloat16 | float32 |
// | LayerNorm, with residual and dropout | bfloat16, float32 statistics | float32 |
// | attention | bfloat16, float32 log-sum-exps | float32 scores, softmax, sums |
// | sums, activations, dropout, softmax alone | bfloat16 | float32 |
// | embeddings, heads, losses, CRF, decoding | float32 | float32 |
// | optimisers, gradient norm, sums over ranks, files | float32 | float32 |
//
// The twin of a parameter is its storage once more in bfloat16, kept beside it and freed with it. It is made
// by one cast of the whole storage, when it is first wanted and whenever the storage was written since:
// weights that lie side by side lie side by side there too. Without bfloat16 inputs there are no twins.
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

// On the way into layers that may compute in a smaller type, and out of them. Recorded in the graph.
Tensor to_compute(const Tensor& x);
Tensor from_compute(const Tensor& x);

// The same shape and strides on the twin of a float32 tensor's storage, cast again where it is out of date.
// It has no history: an op that reads it records the parameter itself as its input.
Tensor bfloat16_twin(const Tensor& parameter);

// What an op on x reads of a parameter: the twin where x is bfloat16 and the parameter float32, else the
// parameter. Undefined tensors stay undefined.
Tensor in_type_of(const Tensor& x, const Tensor& parameter);

// For those that write a float32 parameter and can write the rounded numbers along with it, as optimisers do:
//
//   void* twin = current_twin(weight);   // before begin_write()
//   ... begin_write(), and the kernel writes the weight and, where it is not null, the twin ...
//   if (twin != nullptr) twin_written(weight);
//
// current_twin: the bfloat16 memory of the parameter's elements (its offset and strides), or null where there
// is no twin or it is out of date. twin_written: the twin counts as current again. Where several parameters
// share a storage, each written one must have been written in the twin as well by then.
void* current_twin(const Tensor& parameter);
void twin_written(const Tensor& parameter);

}  // namespace sesame
