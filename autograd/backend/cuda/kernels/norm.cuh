// What the kernels of LayerNorm and dropout share: rows, columns and draws of a warp.
#pragma once

#include "autograd/backend/cuda/kernels/philox.cuh"

namespace sesame::cuda {

void layer_norm_backward(const LayerNormBackwardArgs& args);  // norm_backward.cu

// Runs the statements with T as the type of the rows and P as that of the parameters.
#define SESAME_CUDA_NORM_TYPES(op, dtype, parameter_dtype, ...)        \
  if (dtype == DType::BFloat16 && parameter_dtype == DType::Float32) { \
    using T = BFloat16;                                                \
    using P = float;                                                   \
    __VA_ARGS__;                                                       \
  } else {                                                             \
    SESAME_CUDA_TYPES(op, dtype, using P = T; __VA_ARGS__)             \
  }

// --- rows in the registers of a warp: pack v of a lane begins at column (32 v + lane) N ----------

template <int N>
__device__ int pack_column(int v) {
  return (v * 32 + static_cast<int>(threadIdx.x % 32)) * N;
}

// Zeros beyond the end of the row.
template <int N, int V, class T>
__device__ void load_row(const T* row, int cols, Pack<T, N> (&packs)[V]) {
#pragma unroll
  for (int v = 0; v < V; ++v) {
    packs[v] = from_floats<T>(Floats<N>{});
    if (pack_column<N>(v) < cols) packs[v] = load_pack<N>(row + pack_column<N>(v));
  }
}

// Calls run<N, V>() for rows of `cols` columns in packs, which are at most 1024; else returns false.
template <class T, class Run>
bool with_row_registers(std::int64_t cols, Run run) {
  constexpr int n = pack_width<T>(), step = 8 / n;  // packs of a lane for 256 columns
  if (cols % n != 0) return false;
  switch ((cols + 255) / 256) {
    case 1:
      run.template operator()<n, step>();
      return true;
    case 2:
      run.template operator()<n, 2 * step>();
      return true;
    case 3:
      run.template operator()<n, 3 * step>();
      return true;
    case 4:
      run.template operator()<n, 4 * step>();
      return true;
    default:
      return false;
  }
}

// Dropout of N neighbours that begin at `column`, a multiple of 4. A dropped element is 0 even where it was
// infinite.
template <int N>
__device__ void drop(const DropoutSpec& spec, std::int64_t row_key, std::int64_t column, Floats<N>& x) {
  static_assert(N % 4 == 0);
#pragma unroll
  for (int group = 0; group < N / 4; ++group) {
    const Words words = row_words(spec, row_key, column / 4 + group);
    for (int i = 0; i < 4; ++i) {
      const float factor = dropout_factor(spec, words.w[i]);
      x[4 * group + i] = factor == 0.0f ? 0.0f : x[4 * group + i] * factor;
    }
  }
}

// --- rows of any width and alignment -------------------------------------------------------------
// A lane takes four neighbouring columns at a time, which are what one Philox block draws for. It reads again
// only what it wrote itself, so the passes over a row need no barrier.

constexpr int kRowsPerBlock = kBlock / 32;

__device__ inline std::int64_t warp_row() {
  return static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / 32;
}

// Calls body(column) for the columns of this lane.
template <class Body>
__device__ void each_column(std::int64_t cols, Body body) {
  for (std::int64_t first = threadIdx.x % 32 * 4; first < cols; first += 128) {
    for (std::int64_t j = first; j < first + 4 && j < cols; ++j) body(j);
  }
}

// out[j] = add[j] + x[j] * factor(j) for the columns of this lane; add may be null. out may be x.
template <class T>
__device__ void dropped_row(const DropoutSpec& spec, std::int64_t row_key, const T* x, const T* add, T* out,
                            std::int64_t cols) {
  for (std::int64_t first = threadIdx.x % 32 * 4; first < cols; first += 128) {
    Words words{};
    if (spec.threshold != 0) words = row_words(spec, row_key, first / 4);
    for (int i = 0; i < 4 && first + i < cols; ++i) {
      const float factor = spec.threshold == 0 ? 1.0f : dropout_factor(spec, words.w[i]);
      const float kept = factor == 0.0f ? 0.0f : to_float(x[first + i]) * factor;
      out[first + i] = from_float<T>(add == nullptr ? kept : to_float(add[first + i]) + kept);
    }
  }
}

}  // namespace sesame::cuda
