// Walking several strided tensors of equal sizes together, one index for all.
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

template <int N>
struct Strided {
  int dim = 0;
  std::int64_t size[6] = {};
  std::int64_t stride[N][6] = {};
  std::int64_t numel = 1;

  // Offset of element i of the common index space in each operand.
  __device__ void locate(std::int64_t i, std::int64_t (&offset)[N]) const {
    for (int n = 0; n < N; ++n) offset[n] = 0;
    for (int axis = dim - 1; axis > 0; --axis) {
      const std::int64_t index = i % size[axis];
      i /= size[axis];
      for (int n = 0; n < N; ++n) offset[n] += index * stride[n][axis];
    }
    for (int n = 0; n < N; ++n) offset[n] += i * stride[n][0];
  }
};

// Axes that lie one behind the other in all views become one. Views of equal sizes, numel > 0.
template <int N>
Strided<N> join_axes(const View* const (&views)[N]) {
  Strided<N> joined;
  const View& first = *views[0];
  joined.numel = first.numel;
  for (int axis = 0; axis < first.dim; ++axis) {
    if (first.size[axis] == 1) continue;
    bool joins = joined.dim > 0;
    for (int n = 0; n < N && joins; ++n) {
      joins = joined.stride[n][joined.dim - 1] == views[n]->stride[axis] * first.size[axis];
    }
    if (!joins) joined.size[joined.dim++] = 1;
    joined.size[joined.dim - 1] *= first.size[axis];
    for (int n = 0; n < N; ++n) joined.stride[n][joined.dim - 1] = views[n]->stride[axis];
  }
  return joined;
}

}  // namespace sesame::cuda
