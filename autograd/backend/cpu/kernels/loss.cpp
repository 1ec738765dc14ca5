// Softmax cross-entropy by row, and binary cross-entropy by element.
#include "autograd/backend/cpu/kernels/isa.h"
#include "autograd/backend/cpu/kernels/vmath.h"

SESAME_KERNELS_BEGIN
namespace {

template <class T>
T row_max(const T* x, int64_t n) {
  T largest = x[0];
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < n; ++j) largest = x[j] > largest ? x[j] : largest;
  return largest;
}

template <class T>
T exp_sum(const T* x, T shift, int64_t n) {
  T s0 = 0, s1 = 0;
  const int64_t half = n / 2;
#pragma omp simd reduction(+ : s0, s1)
  for (int64_t j = 0; j < half; ++j) {
    s0 += vexp(x[j] - shift);
    s1 += vexp(x[half + j] - shift);
  }
  return s0 + s1 + (n % 2 == 0 ? T(0) : vexp(x[n - 1] - shift));
}

template <class T>
T plain_sum(const T* x, int64_t n) {
  T total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < n; ++j) total += x[j];
  return total;
}

template <class T>
void forward_row(const CrossEntropyArgs& args, int64_t row) {
  const int64_t n = args.cols, target = args.targets[row];
  T *loss = static_cast<T*>(args.loss), *lse = static_cast<T*>(args.lse);
  if (target == args.ignore_index) {
    loss[row] = lse[row] = T(0);
    return;
  }
  const T* x = static_cast<const T*>(args.logits) + row * n;
  const T largest = row_max(x, n), smoothing = static_cast<T>(args.smoothing);
  lse[row] = largest + vlog(exp_sum(x, largest, n));
  loss[row] = lse[row] - (T(1) - smoothing) * x[target];
  if (smoothing > 0) loss[row] -= smoothing * (plain_sum(x, n) / static_cast<T>(n));
}

template <class T>
void backward_row(const CrossEntropyBackwardArgs& args, int64_t row) {
  const int64_t n = args.forward.cols, target = args.forward.targets[row];
  T* dx = static_cast<T*>(args.dlogits) + row * n;
  if (target == args.forward.ignore_index) {
    memset(dx, 0, static_cast<size_t>(n) * sizeof(T));
    return;
  }
  const T* x = static_cast<const T*>(args.forward.logits) + row * n;
  const T scale = static_cast<const T*>(args.dloss)[row], lse = static_cast<const T*>(args.forward.lse)[row];
  const T smoothing = static_cast<T>(args.forward.smoothing), spread = smoothing / static_cast<T>(n);
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) dx[j] = scale * (vexp(x[j] - lse) - spread);
  dx[target] -= scale * (T(1) - smoothing);
}

template <class T>
void forward_rows(const CrossEntropyArgs& args) {
  if (args.cols == 0) return;
#pragma omp parallel for schedule(static) if (args.rows * args.cols > kParallelGrain)
  for (int64_t i = 0; i < args.rows; ++i) forward_row<T>(args, i);
}

template <class T>
void backward_rows(const CrossEntropyBackwardArgs& args) {
#pragma omp parallel for schedule(static) if (args.forward.rows * args.forward.cols > kParallelGrain)
  for (int64_t i = 0; i < args.forward.rows; ++i) backward_row<T>(args, i);
}

void cross_entropy(const CrossEntropyArgs& args) {
  SESAME_FLOAT_TYPES("cross_entropy", args.dtype, forward_rows<T>(args));
}

void cross_entropy_backward(const CrossEntropyBackwardArgs& args) {
  SESAME_FLOAT_TYPES("cross_entropy_backward", args.forward.dtype, backward_rows<T>(args));
}

inline float log1p_of(float x) { return ::log1pf(x); }
inline double log1p_of(double x) { return ::log1p(x); }

template <class T>
void bce_forward(const View& out, const View& x, const View& target) {
  const T *logits = ptr<const T>(x), *targets = ptr<const T>(target);
  T* loss = ptr<T>(out);
#pragma omp parallel for schedule(static) if (x.numel > kParallelGrain)
  for (int64_t i = 0; i < x.numel; ++i) {
    const T value = logits[i], positive = value < 0 ? T(0) : value, magnitude = value < 0 ? -value : value;
    loss[i] = positive - value * targets[i] + log1p_of(vexp(-magnitude));
  }
}

template <class T>
void bce_backward(const View& dx, const View& dy, const View& x, const View& target) {
  const T *logits = ptr<const T>(x), *targets = ptr<const T>(target), *grad = ptr<const T>(dy);
  T* out = ptr<T>(dx);
#pragma omp parallel for simd schedule(static) if (x.numel > kParallelGrain)
  for (int64_t i = 0; i < x.numel; ++i) out[i] = grad[i] * (vsigmoid(logits[i]) - targets[i]);
}

void bce_with_logits(const View& out, const View& x, const View& target) {
  SESAME_FLOAT_TYPES("bce_with_logits", x.dtype, bce_forward<T>(out, x, target));
}

void bce_with_logits_backward(const View& dx, const View& dy, const View& x, const View& target) {
  SESAME_FLOAT_TYPES("bce_with_logits_backward", x.dtype, bce_backward<T>(dx, dy, x, target));
}

}  // namespace

void fill_loss(KernelTable& table) {
  table.cross_entropy = cross_entropy;
  table.cross_entropy_backward = cross_entropy_backward;
  table.bce_with_logits = bce_with_logits;
  table.bce_with_logits_backward = bce_with_logits_backward;
}

SESAME_KERNELS_END
