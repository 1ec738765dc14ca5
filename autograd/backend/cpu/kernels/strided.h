// Walking several strided tensors of equal sizes together: axes that lie one behind the other in all of them
// are joined first, so that most calls end as one long row or as rows of stride 1.
#pragma once

#include "autograd/backend/cpu/kernels/isa.h"

SESAME_KERNELS_BEGIN

template <int N>
struct StridedLoop {
  int dim = 0;  // at least 1 after join()
  int64_t size[6] = {};
  int64_t stride[N][6] = {};
  int64_t rows = 1;  // product of all sizes but the last

  int64_t cols() const { return size[dim - 1]; }
  int64_t step(int operand) const { return stride[operand][dim - 1]; }

  // Offsets of the first element of row `row` in each operand.
  void locate(int64_t row, int64_t (&offset)[N]) const {
    if (dim == 2) {
      for (int i = 0; i < N; ++i) offset[i] = row * stride[i][0];
      return;
    }
    for (int i = 0; i < N; ++i) offset[i] = 0;
    for (int axis = dim - 2; axis >= 0; --axis) {
      const int64_t index = row % size[axis];
      row /= size[axis];
      for (int i = 0; i < N; ++i) offset[i] += index * stride[i][axis];
    }
  }
};

// Views of equal sizes, numel > 0.
template <int N>
inline StridedLoop<N> join_axes(const View* const (&views)[N]) {
  StridedLoop<N> loop;
  const View& first = *views[0];
  for (int axis = 0; axis < first.dim; ++axis) {
    if (first.size[axis] == 1) continue;
    bool joins = loop.dim > 0;
    for (int i = 0; i < N && joins; ++i) {
      joins = loop.stride[i][loop.dim - 1] == views[i]->stride[axis] * first.size[axis];
    }
    if (!joins) {
      loop.size[loop.dim++] = 1;
    }
    loop.size[loop.dim - 1] *= first.size[axis];
    for (int i = 0; i < N; ++i) loop.stride[i][loop.dim - 1] = views[i]->stride[axis];
  }
  if (loop.dim == 0) {  // one element
    loop.dim = 1;
    loop.size[0] = 1;
    for (int i = 0; i < N; ++i) loop.stride[i][0] = 1;
  }
  for (int axis = 0; axis + 1 < loop.dim; ++axis) loop.rows *= loop.size[axis];
  return loop;
}

SESAME_KERNELS_END
