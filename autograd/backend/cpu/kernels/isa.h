// Included first by every file in this folder. The files are compiled once per instruction set with
// -DSESAME_ISA=<name>; everything in them lives in a namespace of that name, so that no code of one set can be taken
// for another's by the linker. For the same reason they include C headers only and call no library templates.
#pragma once

#include <omp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "autograd/backend/kernel_table.h"

#define SESAME_KERNELS_BEGIN \
  namespace sesame::cpu {    \
  namespace SESAME_ISA {
#define SESAME_KERNELS_END \
  }                        \
  }

namespace sesame::cpu {

// Throws Error("[kernel] no <dtype> kernel on the CPU"). Defined outside of the instruction sets.
[[noreturn]] void unsupported(const char* kernel, DType dtype);

// Scratch memory that a thread keeps between calls, aligned to 64 bytes; grows, never shrinks. Slots 0 to 3 are
// independent. Defined outside of the instruction sets.
void* scratch(int slot, size_t bytes);

// OpenBLAS's product. Defined outside of the instruction sets.
void blas_gemm(const GemmArgs& args);

namespace SESAME_ISA {

// The product, in the way that suits its sizes (few_rows.cpp).
void gemm(const GemmArgs& args);

// Work below this many elements is not worth waking threads for.
constexpr int64_t kParallelGrain = 16384;

// Runs body<T>() for float and double.
#define SESAME_FLOAT_TYPES(kernel, dtype, ...)                    \
  switch (dtype) {                                                \
    case DType::Float32: {                                        \
      using T = float;                                            \
      __VA_ARGS__;                                                \
      break;                                                      \
    }                                                             \
    case DType::Float64: {                                        \
      using T = double;                                           \
      __VA_ARGS__;                                                \
      break;                                                      \
    }                                                             \
    default: ::sesame::cpu::unsupported(kernel, dtype);           \
  }

template <class T>
inline T* ptr(const View& view) {
  return static_cast<T*>(view.data);
}

// The share [begin, end) of `n` items for this thread of the current parallel region, in multiples of `align`.
struct Range {
  int64_t begin, end;
};
inline Range thread_share(int64_t n, int64_t align = 1) {
  const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
  const int64_t blocks = (n + align - 1) / align;
  const int64_t begin = blocks * thread / threads * align, end = blocks * (thread + 1) / threads * align;
  return {begin < n ? begin : n, end < n ? end : n};
}

// GCC's shuffle of two vectors by the lanes' numbers, for clang, which wants them as constants.
#if defined(__clang__)
template <class Vector, class Order>
inline Vector shuffle_lanes(Vector a, Vector b, Order order) {
  constexpr int count = sizeof(Order) / sizeof(order[0]);
  Vector out;
  for (int i = 0; i < count; ++i) out[i] = order[i] < count ? a[order[i]] : b[order[i] - count];
  return out;
}
#define __builtin_shuffle shuffle_lanes
#endif

}  // namespace SESAME_ISA
}  // namespace sesame::cpu
