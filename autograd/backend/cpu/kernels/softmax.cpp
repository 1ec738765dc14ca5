// Softmax and log-softmax over rows. Sums of long rows are carried in double from block to block.
#include <math.h>

#include "autograd/backend/cpu/kernels/vmath.h"

SESAME_KERNELS_BEGIN
namespace {

constexpr int64_t kBlock = 1024;  // columns summed in T

template <class T>
T row_max(const T* x, int64_t n) {
  T best = x[0];
#pragma omp simd reduction(max : best)
  for (int64_t j = 0; j < n; ++j) best = x[j] > best ? x[j] : best;
  return best;
}

// out = exp(x - shift) where out is given; returns the sum.
template <class T>
double exp_row(T* out, const T* x, int64_t n, T shift) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    T part = 0;
    if (out == nullptr) {
#pragma omp simd reduction(+ : part)
      for (int64_t j = begin; j < end; ++j) part += vexp(x[j] - shift);
    } else {
#pragma omp simd reduction(+ : part)
      for (int64_t j = begin; j < end; ++j) {
        const T e = vexp(x[j] - shift);
        out[j] = e;
        part += e;
      }
    }
    total += static_cast<double>(part);
  }
  return total;
}

template <class T>
void softmax_rows(bool log, T* out, const T* x, int64_t rows, int64_t cols) {
#pragma omp parallel for schedule(static) if (rows * cols > kParallelGrain)
  for (int64_t i = 0; i < rows; ++i) {
    const T* in = x + i * cols;
    T* y = out + i * cols;
    const T top = row_max(in, cols);
    if (log) {
      const T log_sum = static_cast<T>(::log(exp_row<T>(nullptr, in, cols, top)));
#pragma omp simd
      for (int64_t j = 0; j < cols; ++j) y[j] = (in[j] - top) - log_sum;
    } else {
      const T scale = static_cast<T>(1.0 / exp_row(y, in, cols, top));
#pragma omp simd
      for (int64_t j = 0; j < cols; ++j) y[j] *= scale;
    }
  }
}

// Sum of dy, or of dy * y.
template <class T>
double weighted_sum(const T* dy, const T* y, int64_t n, bool weighted) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = begin + kBlock < n ? begin + kBlock : n;
    T part = 0;
    if (weighted) {
#pragma omp simd reduction(+ : part)
      for (int64_t j = begin; j < end; ++j) part += dy[j] * y[j];
    } else {
#pragma omp simd reduction(+ : part)
      for (int64_t j = begin; j < end; ++j) part += dy[j];
    }
    total += static_cast<double>(part);
  }
  return total;
}

template <class T>
void softmax_backward_rows(bool log, T* dx, const T* dy, const T* y, int64_t rows, int64_t cols) {
#pragma omp parallel for schedule(static) if (rows * cols > kParallelGrain)
  for (int64_t i = 0; i < rows; ++i) {
    const T *g = dy + i * cols, *p = y + i * cols;
    T* out = dx + i * cols;
    const T total = static_cast<T>(weighted_sum(g, p, cols, !log));
    if (log) {
#pragma omp simd
      for (int64_t j = 0; j < cols; ++j) out[j] = g[j] - vexp(p[j]) * total;
    } else {
#pragma omp simd
      for (int64_t j = 0; j < cols; ++j) out[j] = p[j] * (g[j] - total);
    }
  }
}

void softmax(bool log, const View& out, const View& x) {
  if (x.numel == 0) return;
  const int64_t cols = x.size[x.dim - 1];
  SESAME_FLOAT_TYPES("softmax", x.dtype,
                     softmax_rows(log, ptr<T>(out), ptr<const T>(x), x.numel / cols, cols));
}

void softmax_backward(bool log, const View& dx, const View& dy, const View& y) {
  if (y.numel == 0) return;
  const int64_t cols = y.size[y.dim - 1];
  SESAME_FLOAT_TYPES(
      "softmax_backward", y.dtype,
      softmax_backward_rows(log, ptr<T>(dx), ptr<const T>(dy), ptr<const T>(y), y.numel / cols, cols));
}

}  // namespace

void fill_softmax(KernelTable& table) {
  table.softmax = softmax;
  table.softmax_backward = softmax_backward;
}

SESAME_KERNELS_END
