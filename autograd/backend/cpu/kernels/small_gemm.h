// Products of matrices that fit into a cache, for kernels that make many of them at once (packed attention:
// one per sequence and head, far too small for a BLAS call each). The right side and the result lie in
// scratch memory, rows padded to whole vectors; the left side is read in place.
#pragma once

#include "autograd/backend/cpu/kernels/isa.h"

namespace sesame::cpu {
namespace SESAME_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
constexpr int kMaxVectors = 4;  // vectors of a row of C in registers at once
constexpr int tile_rows(int vectors) { return vectors <= 2 ? 12 : vectors == 3 ? 8 : 6; }
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
constexpr int kMaxVectors = 2;
constexpr int tile_rows(int vectors) { return vectors == 1 ? 8 : 6; }
#else
constexpr int kVectorBytes = 16;
constexpr int kMaxVectors = 2;
constexpr int tile_rows(int) { return 4; }
#endif

template <class T>
constexpr int kGemmLanes = kVectorBytes / static_cast<int>(sizeof(T));

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;

// The lanes of a vector added up, or their maximum, in log2(lanes) steps: the compiler's own end of a
// reduction takes one lane after the other.
template <class T>
inline T sum_lanes(Vector<T> v) {
  T lanes[kGemmLanes<T>];
  memcpy(lanes, &v, sizeof lanes);
#pragma GCC unroll 4
  for (int half = kGemmLanes<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}
template <class T>
inline T max_lanes(Vector<T> v) {
  T lanes[kGemmLanes<T>];
  memcpy(lanes, &v, sizeof lanes);
#pragma GCC unroll 4
  for (int half = kGemmLanes<T> / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lanes[i] = lanes[i + half] > lanes[i] ? lanes[i + half] : lanes[i];
  }
  return lanes[0];
}

constexpr int64_t round_up(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// Row stride of a scratch matrix with `cols` columns: an odd number of cache lines, so that a column of rows
// spreads over all sets of the cache.
template <class T>
int64_t scratch_stride(int64_t cols) {
  constexpr int64_t line = 64 / sizeof(T);
  const int64_t lines = round_up(cols, line) / line;
  return (lines | 1) * line;
}

// One tile of C, `Rows` rows and `Vectors` vectors wide, held in registers over all of k.
// C (+)= op(A) B; op(A)[i, p] is a[i * lda + p], or a[p * lda + i] when A is stored transposed.
template <class T, int Rows, int Vectors, bool Transposed>
inline void gemm_tile(const T* __restrict a, int64_t lda, const T* __restrict b, int64_t ldb, T* __restrict c,
                      int64_t ldc, int64_t k, bool accumulate) {
  using V = Vector<T>;
  V sums[Rows][Vectors];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      sums[i][j] = accumulate ? *reinterpret_cast<const V*>(c + i * ldc + j * kGemmLanes<T>) : V{};
    }
  }
  for (int64_t p = 0; p < k; ++p) {
    if constexpr (!Transposed) {  // weights come from far away: 4 to 10 % of the time of one sentence
      if (p % (64 / sizeof(T)) == 0) {
#pragma GCC unroll 16
        for (int i = 0; i < Rows; ++i) __builtin_prefetch(a + (i + Rows) * lda + p);
      }
    }
    V right[Vectors];
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) right[j] = *reinterpret_cast<const V*>(b + p * ldb + j * kGemmLanes<T>);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const T left = Transposed ? a[p * lda + i] : a[i * lda + p];
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) sums[i][j] += left * right[j];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) *reinterpret_cast<V*>(c + i * ldc + j * kGemmLanes<T>) = sums[i][j];
  }
}

// A column panel of C, `Vectors` vectors wide: full tiles, then tiles of 4, 2 and 1 rows.
template <class T, int Vectors, bool Transposed>
void gemm_panel(const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc, int64_t m, int64_t k,
                bool accumulate) {
  constexpr int rows = tile_rows(Vectors);
  const int64_t step = Transposed ? 1 : lda;
  int64_t i = 0;
  for (; i + rows <= m; i += rows) {
    gemm_tile<T, rows, Vectors, Transposed>(a + i * step, lda, b, ldb, c + i * ldc, ldc, k, accumulate);
  }
  for (; i + 4 <= m; i += 4) {
    gemm_tile<T, 4, Vectors, Transposed>(a + i * step, lda, b, ldb, c + i * ldc, ldc, k, accumulate);
  }
  if (i + 2 <= m) {
    gemm_tile<T, 2, Vectors, Transposed>(a + i * step, lda, b, ldb, c + i * ldc, ldc, k, accumulate);
    i += 2;
  }
  if (i < m) gemm_tile<T, 1, Vectors, Transposed>(a + i * step, lda, b, ldb, c + i * ldc, ldc, k, accumulate);
}

// C [m, n] (+)= op(A) [m, k] B [k, n]. n is a multiple of the vector length; b and c are padded scratch.
template <class T, bool Transposed>
void small_gemm(const T* a, int64_t lda, const T* b, int64_t ldb, T* c, int64_t ldc, int64_t m, int64_t n,
                int64_t k, bool accumulate) {
  constexpr int64_t depth = 128;  // of k at a time, so that a panel of B stays in the first cache
  int64_t p = 0;
  do {
    const int64_t part = k - p < depth ? k - p : depth;
    const T* left = a + p * (Transposed ? lda : 1);
    const T* right = b + p * ldb;
    const bool add = accumulate || p > 0;
    int64_t j = 0, vectors = n / kGemmLanes<T>;
    while (vectors > 0) {
      // The rest is spread evenly: 5 vectors go as 3 + 2, not as 4 + 1.
      const int64_t panels = (vectors + kMaxVectors - 1) / kMaxVectors,
                    take = (vectors + panels - 1) / panels;
      const T* panel = right + j * kGemmLanes<T>;
      T* out = c + j * kGemmLanes<T>;
      switch (take) {
        case 1:
          gemm_panel<T, 1, Transposed>(left, lda, panel, ldb, out, ldc, m, part, add);
          break;
        case 2:
          gemm_panel<T, 2, Transposed>(left, lda, panel, ldb, out, ldc, m, part, add);
          break;
        case 3:
          if constexpr (kMaxVectors >= 3) {
            gemm_panel<T, 3, Transposed>(left, lda, panel, ldb, out, ldc, m, part, add);
          }
          break;
        default:
          if constexpr (kMaxVectors >= 4) {
            gemm_panel<T, 4, Transposed>(left, lda, panel, ldb, out, ldc, m, part, add);
          }
      }
      j += take;
      vectors -= take;
    }
    p += depth;
  } while (p < k);
}

// Asks for the columns behind a row's first `d`: where a row holds all heads side by side, the next head's
// part, which the hardware does not foresee. Beyond the end of the memory this does nothing.
template <class T>
inline void prefetch_next(const T* row, int64_t d) {
  for (int64_t c = 0; c < d; c += 64 / sizeof(T)) __builtin_prefetch(row + d + c, 0, 2);
}

// Copies rows [n, d] into scratch of row stride `padded`, zeros behind the columns.
template <class T>
void pack_rows(T* __restrict out, int64_t padded, const T* __restrict x, int64_t stride, int64_t n,
               int64_t d) {
  for (int64_t i = 0; i < n; ++i) {
    prefetch_next(x + i * stride, d);
    memcpy(out + i * padded, x + i * stride, static_cast<size_t>(d) * sizeof(T));
    for (int64_t c = d; c < padded; ++c) out[i * padded + c] = 0;
  }
}

// Four rows of four floats become four columns.
inline void transpose_4x4(float* out, int64_t ldo, const float* x, int64_t stride, float scale) {
  typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));
  typedef int Lanes __attribute__((vector_size(16)));
  const Four r0 = *reinterpret_cast<const Four*>(x), r1 = *reinterpret_cast<const Four*>(x + stride);
  const Four r2 = *reinterpret_cast<const Four*>(x + 2 * stride),
             r3 = *reinterpret_cast<const Four*>(x + 3 * stride);
  const Lanes low = {0, 4, 1, 5}, high = {2, 6, 3, 7}, first = {0, 1, 4, 5}, second = {2, 3, 6, 7};
  const Four a = __builtin_shuffle(r0, r1, low) * scale, b = __builtin_shuffle(r2, r3, low) * scale;
  const Four c = __builtin_shuffle(r0, r1, high) * scale, d = __builtin_shuffle(r2, r3, high) * scale;
  *reinterpret_cast<Four*>(out) = __builtin_shuffle(a, b, first);
  *reinterpret_cast<Four*>(out + ldo) = __builtin_shuffle(a, b, second);
  *reinterpret_cast<Four*>(out + 2 * ldo) = __builtin_shuffle(c, d, first);
  *reinterpret_cast<Four*>(out + 3 * ldo) = __builtin_shuffle(c, d, second);
}

// out [d, n] = scale * x^T for rows x [n, d]; columns n to `padded` become zero.
template <class T>
void pack_transposed(T* out, int64_t ldo, int64_t padded, const T* x, int64_t stride, int64_t n, int64_t d,
                     T scale) {
  int64_t done = 0;
  if constexpr (sizeof(T) == sizeof(float)) {
    done = n / 4 * 4;
    const int64_t columns = d / 4 * 4;
    for (int64_t i = 0; i < done; i += 4) {
      for (int64_t r = i; r < i + 4; ++r) prefetch_next(x + r * stride, d);
      for (int64_t c = 0; c < columns; c += 4)
        transpose_4x4(out + c * ldo + i, ldo, x + i * stride + c, stride, scale);
      for (int64_t c = columns; c < d; ++c) {
        for (int64_t r = i; r < i + 4; ++r) out[c * ldo + r] = scale * x[r * stride + c];
      }
    }
  }
  for (int64_t i = done; i < n; ++i) {
    for (int64_t c = 0; c < d; ++c) out[c * ldo + i] = scale * x[i * stride + c];
  }
  for (int64_t c = 0; c < d; ++c) {
    for (int64_t i = n; i < padded; ++i) out[c * ldo + i] = 0;
  }
}

}  // namespace SESAME_ISA
}  // namespace sesame::cpu
