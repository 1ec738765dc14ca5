// LayerNorm fused with dropout and the residual connection, and dropout alone. A row is read from memory
// once; the further passes over it find it in the cache.
#include "autograd/backend/cpu/kernels/column_sums.h"
#include "autograd/backend/cpu/kernels/dropout.h"
#include "autograd/backend/cpu/kernels/isa.h"

SESAME_KERNELS_BEGIN
namespace {

// Sum of (x[j] - shift)^power, power 1 or 2, in four independent chains of vector lanes: faster than one
// chain, and the rounding errors stay small.
template <int Power, class T>
T row_sum(const T* x, T shift, int64_t n) {
  T s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  const int64_t q = n / 4;
  const T *x1 = x + q, *x2 = x + 2 * q, *x3 = x + 3 * q;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
  for (int64_t j = 0; j < q; ++j) {
    const T d0 = x[j] - shift, d1 = x1[j] - shift, d2 = x2[j] - shift, d3 = x3[j] - shift;
    s0 += Power == 1 ? d0 : d0 * d0;
    s1 += Power == 1 ? d1 : d1 * d1;
    s2 += Power == 1 ? d2 : d2 * d2;
    s3 += Power == 1 ? d3 : d3 * d3;
  }
  for (int64_t j = 4 * q; j < n; ++j) {
    const T d = x[j] - shift;
    s0 += Power == 1 ? d : d * d;
  }
  return (s0 + s1) + (s2 + s3);
}

SESAME_VMATH float inverse_sqrt(float x) { return 1.0f / __builtin_sqrtf(x); }
SESAME_VMATH double inverse_sqrt(double x) { return 1.0 / __builtin_sqrt(x); }

inline int64_t row_key(const int64_t* keys, int64_t row) { return keys == nullptr ? row : keys[row]; }

template <class T>
const T* row_of(const void* data, int64_t row, int64_t cols) {
  return data == nullptr ? nullptr : static_cast<const T*>(data) + row * cols;
}
template <class T>
T* row_of(void* data, int64_t row, int64_t cols) {
  return data == nullptr ? nullptr : static_cast<T*>(data) + row * cols;
}

template <class T>
void forward_row(const LayerNormArgs& args, int64_t row) {
  const int64_t n = args.cols;
  const T *x = row_of<T>(args.x, row, n), *residual = row_of<T>(args.residual, row, n);
  const T *gamma = static_cast<const T*>(args.gamma), *beta = static_cast<const T*>(args.beta);
  T* out = row_of<T>(args.out, row, n);
  if (args.dropout.active() || residual != nullptr) {
    T* sum = args.sum == nullptr ? out : row_of<T>(args.sum, row, n);
    if (args.dropout.active()) {
      dropout_row<T>(args.dropout, row_key(args.row_keys, row), x, residual, sum, n);
    } else {
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) sum[j] = residual[j] + x[j];
    }
    x = sum;
  }
  const T count = static_cast<T>(n);
  const T mean = row_sum<1>(x, T(0), n) / count;
  const T rstd = inverse_sqrt(row_sum<2>(x, mean, n) / count + static_cast<T>(args.eps));
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) out[j] = (x[j] - mean) * rstd * gamma[j] + beta[j];
  if (args.mean != nullptr) static_cast<T*>(args.mean)[row] = mean;
  if (args.rstd != nullptr) static_cast<T*>(args.rstd)[row] = rstd;
}

template <class T>
void forward(const LayerNormArgs& args) {
  if (args.cols == 0) return;
#pragma omp parallel for schedule(static) if (args.rows * args.cols > kParallelGrain)
  for (int64_t i = 0; i < args.rows; ++i) forward_row<T>(args, i);
}

// d_gamma += dy * xhat, d_beta += dy; returns the means of g = dy * gamma and of g * xhat over the row.
template <bool Parameters, class T>
void backward_means(const T* __restrict dy, const T* __restrict x, const T* __restrict gamma, T mean, T rstd,
                    int64_t n, T* __restrict d_gamma, T* __restrict d_beta, T* mean_g, T* mean_gx) {
  T g_sum = 0, gx_sum = 0;
#pragma omp simd reduction(+ : g_sum, gx_sum)
  for (int64_t j = 0; j < n; ++j) {
    const T xhat = (x[j] - mean) * rstd, g = dy[j] * gamma[j];
    g_sum += g;
    gx_sum += g * xhat;
    if constexpr (Parameters) {
      d_gamma[j] += dy[j] * xhat;
      d_beta[j] += dy[j];
    }
  }
  *mean_g = g_sum / static_cast<T>(n);
  *mean_gx = gx_sum / static_cast<T>(n);
}

// d_sum = rstd (g - mean(g) - xhat mean(g xhat)); it goes to d_residual, and through dropout to dx.
template <class T>
void backward_row(const LayerNormBackwardArgs& args, int64_t row, T* d_gamma, T* d_beta) {
  const int64_t n = args.cols;
  const T *dy = row_of<T>(args.dy, row, n), *x = row_of<T>(args.sum, row, n);
  const T* gamma = static_cast<const T*>(args.gamma);
  const T mean = static_cast<const T*>(args.mean)[row], rstd = static_cast<const T*>(args.rstd)[row];
  T mean_g, mean_gx;
  if (d_gamma != nullptr) {
    backward_means<true>(dy, x, gamma, mean, rstd, n, d_gamma, d_beta, &mean_g, &mean_gx);
  } else {
    backward_means<false>(dy, x, gamma, mean, rstd, n, d_gamma, d_beta, &mean_g, &mean_gx);
  }
  T *dx = row_of<T>(args.dx, row, n), *d_residual = row_of<T>(args.d_residual, row, n);
  if (dx == nullptr && d_residual == nullptr) return;
  T* d_sum = d_residual == nullptr ? dx : d_residual;
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) {
    d_sum[j] = rstd * (dy[j] * gamma[j] - mean_g - (x[j] - mean) * rstd * mean_gx);
  }
  if (dx == nullptr) return;
  if (args.dropout.active()) {
    dropout_row<T>(args.dropout, row_key(args.row_keys, row), d_sum, nullptr, dx, n);
  } else if (d_residual != nullptr) {
    memcpy(dx, d_residual, static_cast<size_t>(n) * sizeof(T));
  }
}

template <class T>
void backward(const LayerNormBackwardArgs& args) {
  const bool parameters = args.d_gamma != nullptr || args.d_beta != nullptr;
  ColumnSums<T> sums(args.rows, args.cols, parameters ? 2 : 0);
#pragma omp parallel for schedule(static) if (args.rows * args.cols > kParallelGrain)
  for (int64_t block = 0; block < sums.blocks(); ++block) {
    T *d_gamma = sums.start(block, 0), *d_beta = sums.start(block, 1);
    for (int64_t i = sums.begin(block); i < sums.end(block); ++i) backward_row<T>(args, i, d_gamma, d_beta);
  }
  if (args.d_gamma != nullptr) sums.finish(0, static_cast<T*>(args.d_gamma));
  if (args.d_beta != nullptr) sums.finish(1, static_cast<T*>(args.d_beta));
}

void layer_norm(const LayerNormArgs& args) { SESAME_FLOAT_TYPES("layer_norm", args.dtype, forward<T>(args)); }

void layer_norm_backward(const LayerNormBackwardArgs& args) {
  SESAME_FLOAT_TYPES("layer_norm_backward", args.dtype, backward<T>(args));
}

template <class T>
void dropout_rows(const View& out, const View& x, const View& row_keys, const DropoutSpec& spec) {
  const int64_t rows = x.size[0], cols = x.size[1];
  const int64_t* keys = ptr<const int64_t>(row_keys);
#pragma omp parallel for schedule(static) if (rows * cols > kParallelGrain)
  for (int64_t i = 0; i < rows; ++i) {
    dropout_row<T>(spec, row_key(keys, i), ptr<T>(x) + i * cols, nullptr, ptr<T>(out) + i * cols, cols);
  }
}

void dropout(const View& out, const View& x, const View& row_keys, const DropoutSpec& spec) {
  SESAME_FLOAT_TYPES("dropout", x.dtype, dropout_rows<T>(out, x, row_keys, spec));
}

}  // namespace

void fill_norm(KernelTable& table) {
  table.layer_norm = layer_norm;
  table.layer_norm_backward = layer_norm_backward;
  table.dropout = dropout;
}

SESAME_KERNELS_END
