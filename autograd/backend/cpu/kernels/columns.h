// Column sums and maxima over a tile of at most kTile neighbouring columns: shared by reductions and
// segments.
#pragma once

#include "autograd/backend/cpu/kernels/isa.h"

SESAME_KERNELS_BEGIN

constexpr int64_t kTile = 64;

// out[j] = scale * sum_i x[i * stride + j], j < width <= kTile. 32 rows at a time in T, these in double.
template <class T>
inline void sum_tile(T* out, const T* x, int64_t n, int64_t stride, int64_t width, double scale) {
  constexpr int64_t rows_per_part = 32;
  double total[kTile] = {};
  for (int64_t row = 0; row < n; row += rows_per_part) {
    T part[kTile] = {};
    const int64_t end = row + rows_per_part < n ? row + rows_per_part : n;
    for (int64_t i = row; i < end; ++i) {
      const T* line = x + i * stride;
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) part[j] += line[j];
    }
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) total[j] += static_cast<double>(part[j]);
  }
  for (int64_t j = 0; j < width; ++j) out[j] = static_cast<T>(total[j] * scale);
}

// best[j] = max_i x[i * stride + j] and at[j] the first i that has it; a NaN counts as larger than
// everything. n > 0.
template <class T>
inline void max_tile(T (&best)[kTile], int64_t (&at)[kTile], const T* x, int64_t n, int64_t stride,
                     int64_t width) {
  for (int64_t j = 0; j < width; ++j) {
    best[j] = x[j];
    at[j] = 0;
  }
  for (int64_t i = 1; i < n; ++i) {
    const T* line = x + i * stride;
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      const bool better = (line[j] > best[j]) | ((line[j] != line[j]) & (best[j] == best[j]));
      best[j] = better ? line[j] : best[j];
      at[j] = better ? i : at[j];
    }
  }
}

SESAME_KERNELS_END
