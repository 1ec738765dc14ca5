// Optimiser updates, one pass over memory, and the sum of squares that clipping needs.
#include "autograd/backend/cpu/kernels/isa.h"

SESAME_KERNELS_BEGIN
namespace {

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }

template <class T>
void adamw_update(const AdamWArgs& args) {
  T* __restrict weight = static_cast<T*>(args.weight);
  T* __restrict first = static_cast<T*>(args.m);
  T* __restrict second = static_cast<T*>(args.v);
  const T* __restrict grad = static_cast<const T*>(args.grad);
  const T b1 = static_cast<T>(args.beta1), b2 = static_cast<T>(args.beta2), eps = static_cast<T>(args.eps);
  const T rest1 = static_cast<T>(1 - args.beta1), rest2 = static_cast<T>(1 - args.beta2);
  const T keep = static_cast<T>(1 - args.lr * args.decay), step = static_cast<T>(args.lr / args.bias1);
  const T root_bias2 = static_cast<T>(__builtin_sqrt(args.bias2)), scale = static_cast<T>(args.grad_scale);
#pragma omp parallel for simd schedule(static) if (args.numel > kParallelGrain)
  for (int64_t i = 0; i < args.numel; ++i) {
    const T g = grad[i] * scale;
    const T m = b1 * first[i] + rest1 * g, v = b2 * second[i] + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    weight[i] = weight[i] * keep - step * m / (square_root(v) / root_bias2 + eps);
  }
}

template <class T>
void sgd_update(const SgdArgs& args) {
  T* __restrict weight = static_cast<T*>(args.weight);
  T* __restrict buffer = static_cast<T*>(args.momentum_buffer);
  const T* __restrict grad = static_cast<const T*>(args.grad);
  const T lr = static_cast<T>(args.lr), momentum = static_cast<T>(args.momentum);
  const T decay = static_cast<T>(args.decay), scale = static_cast<T>(args.grad_scale);
  if (buffer == nullptr) {
#pragma omp parallel for simd schedule(static) if (args.numel > kParallelGrain)
    for (int64_t i = 0; i < args.numel; ++i) weight[i] -= lr * (grad[i] * scale + decay * weight[i]);
    return;
  }
#pragma omp parallel for simd schedule(static) if (args.numel > kParallelGrain)
  for (int64_t i = 0; i < args.numel; ++i) {
    const T b = momentum * buffer[i] + grad[i] * scale + decay * weight[i];
    buffer[i] = b;
    weight[i] -= lr * b;
  }
}

constexpr int64_t kSquareBlock = 4096;

template <class T>
double block_squares(const T* x, int64_t n) {
  double s0 = 0, s1 = 0;
  const int64_t half = n / 2;
#pragma omp simd reduction(+ : s0, s1)
  for (int64_t i = 0; i < half; ++i) {
    const double a = x[i], b = x[half + i];
    s0 += a * a;
    s1 += b * b;
  }
  const double last = n % 2 == 0 ? 0.0 : static_cast<double>(x[n - 1]);
  return s0 + s1 + last * last;
}

// Blocks of fixed size, added up in order: the number of threads changes nothing.
template <class T>
double squares(const View& x) {
  const T* data = ptr<const T>(x);
  const int64_t blocks = (x.numel + kSquareBlock - 1) / kSquareBlock;
  if (blocks == 0) return 0;
  double* partials = static_cast<double*>(scratch(0, static_cast<size_t>(blocks) * sizeof(double)));
#pragma omp parallel for schedule(static) if (x.numel > kParallelGrain)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * kSquareBlock, left = x.numel - begin;
    partials[b] = block_squares(data + begin, left < kSquareBlock ? left : kSquareBlock);
  }
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += partials[b];
  return total;
}

void adamw(const AdamWArgs& args) { SESAME_FLOAT_TYPES("adamw", args.dtype, adamw_update<T>(args)); }

void sgd(const SgdArgs& args) { SESAME_FLOAT_TYPES("sgd", args.dtype, sgd_update<T>(args)); }

double sum_squares(const View& x) {
  SESAME_FLOAT_TYPES("sum_squares", x.dtype, return squares<T>(x));
  return 0;
}

}  // namespace

void fill_optimizer(KernelTable& table) {
  table.adamw = adamw;
  table.sgd = sgd;
  table.sum_squares = sum_squares;
}

SESAME_KERNELS_END
