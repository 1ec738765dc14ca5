// Walking several strided tensors of equal sizes together, one index for all.
#pragma once

#include <climits>

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

// Offsets and sizes as Index: unsigned where they fit, since division takes a device long in 64 bits.
template <int K, class Index = std::int64_t>
struct Strided {
  int dim = 0;
  Index size[6] = {};
  Index stride[K][6] = {};
  Index numel = 1;

  // Offset of element i of the common index space in each operand.
  __device__ void locate(Index i, Index (&offset)[K]) const {
    for (int k = 0; k < K; ++k) offset[k] = 0;
    for (int axis = dim - 1; axis > 0; --axis) {
      const Index above = i / size[axis], index = i - above * size[axis];
      i = above;
      for (int k = 0; k < K; ++k) offset[k] += index * stride[k][axis];
    }
    for (int k = 0; k < K; ++k) offset[k] += i * stride[k][0];
  }

  // Whether operand k stays where it is along the innermost axis.
  __device__ bool splat(int k) const { return dim == 0 || stride[k][dim - 1] == 0; }
};

template <int N, class T>
__device__ Floats<N> splat(T x) {
  Floats<N> all;
  for (int i = 0; i < N; ++i) all[i] = to_float(x);
  return all;
}

// Axes that lie one behind the other in all views become one. Views of equal sizes, numel > 0.
template <int K>
Strided<K> join_axes(const View* const (&views)[K]) {
  Strided<K> joined;
  const View& first = *views[0];
  joined.numel = first.numel;
  for (int axis = 0; axis < first.dim; ++axis) {
    if (first.size[axis] == 1) continue;
    bool joins = joined.dim > 0;
    for (int k = 0; k < K && joins; ++k) {
      joins = joined.stride[k][joined.dim - 1] == views[k]->stride[axis] * first.size[axis];
    }
    if (!joins) joined.size[joined.dim++] = 1;
    joined.size[joined.dim - 1] *= first.size[axis];
    for (int k = 0; k < K; ++k) joined.stride[k][joined.dim - 1] = views[k]->stride[axis];
  }
  return joined;
}

// All operands lie without gaps, in the same order.
template <int K>
bool is_dense(const Strided<K>& at) {
  bool dense = at.dim <= 1;
  for (int k = 0; k < K && dense && at.dim == 1; ++k) dense = at.stride[k][0] == 1;
  return dense;
}

// Whether indices, and offsets of every operand, fit the narrow kernels.
template <int K>
bool fits_32_bits(const Strided<K>& at) {
  bool fits = at.numel <= INT_MAX;
  for (int k = 0; k < K && fits; ++k) {
    std::int64_t last = 0;
    for (int axis = 0; axis < at.dim; ++axis) {
      fits = fits && at.stride[k][axis] >= 0;
      last += (at.size[axis] - 1) * at.stride[k][axis];
    }
    fits = fits && last <= INT_MAX;
  }
  return fits;
}

template <int K>
Strided<K, unsigned> narrow(const Strided<K>& at) {
  Strided<K, unsigned> small;
  small.dim = at.dim;
  small.numel = static_cast<unsigned>(at.numel);
  for (int axis = 0; axis < at.dim; ++axis) {
    small.size[axis] = static_cast<unsigned>(at.size[axis]);
    for (int k = 0; k < K; ++k) small.stride[k][axis] = static_cast<unsigned>(at.stride[k][axis]);
  }
  return small;
}

// Whether the innermost axis comes in aligned packs of N neighbours; operands after the first may also have
// one element for all of it.
template <int N, class T, int K>
bool in_packs(const Strided<K>& at, const void* const (&data)[K]) {
  if (at.dim == 0 || at.size[at.dim - 1] % N != 0 || at.stride[0][at.dim - 1] != 1) return false;
  for (int k = 0; k < K; ++k) {
    const std::int64_t inner = at.stride[k][at.dim - 1];
    if (inner == 0) continue;
    if (inner != 1 || !takes_packs<N>(static_cast<const T*>(data[k]))) return false;
    for (int axis = 0; axis + 1 < at.dim; ++axis) {
      if (at.stride[k][axis] % N != 0) return false;
    }
  }
  return true;
}

// The same walk in packs of N; offsets remain those of elements.
template <int N, int K>
Strided<K> packed(const Strided<K>& at) {
  Strided<K> packs = at;
  packs.numel /= N;
  packs.size[at.dim - 1] /= N;
  for (int k = 0; k < K; ++k) packs.stride[k][at.dim - 1] *= N;
  return packs;
}

}  // namespace sesame::cuda
