// Optimiser updates, one pass over memory, and the sum of squares that clipping needs.
#include "autograd/backend/cpu/kernels/bfloat16.h"

SESAME_KERNELS_BEGIN
namespace {

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }

// Numbers of one tensor in this update.
struct AdamWNumbers {
  double beta1, beta2, eps, lr, decay, bias1, bias2, scale;
};

template <class T>
void adamw_update(const AdamWTensor& tensor, const AdamWNumbers& numbers) {
  T* __restrict weight = static_cast<T*>(tensor.weight);
  T* __restrict first = static_cast<T*>(tensor.m);
  T* __restrict second = static_cast<T*>(tensor.v);
  const T* __restrict grad = static_cast<const T*>(tensor.grad);
  const T b1 = static_cast<T>(numbers.beta1), b2 = static_cast<T>(numbers.beta2);
  const T rest1 = static_cast<T>(1 - numbers.beta1), rest2 = static_cast<T>(1 - numbers.beta2);
  const T keep = static_cast<T>(1 - numbers.lr * numbers.decay);
  const T step = static_cast<T>(numbers.lr / numbers.bias1), eps = static_cast<T>(numbers.eps);
  const T root_bias2 = static_cast<T>(__builtin_sqrt(numbers.bias2)), scale = static_cast<T>(numbers.scale);
#pragma omp parallel for simd schedule(static) if (tensor.numel > kParallelGrain)
  for (int64_t i = 0; i < tensor.numel; ++i) {
    const T g = grad[i] * scale;
    const T m = b1 * first[i] + rest1 * g, v = b2 * second[i] + rest2 * g * g;
    first[i] = m;
    second[i] = v;
    weight[i] = weight[i] * keep - step * m / (square_root(v) / root_bias2 + eps);
  }
}

void write_twin(const AdamWTensor& tensor) {
  const float* weight = static_cast<const float*>(tensor.weight);
  BFloat16* twin = static_cast<BFloat16*>(tensor.twin);
  for (int64_t i = 0; i < tensor.numel; ++i) twin[i] = Convert<BFloat16, float>::value(weight[i]);
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

// The factor that clipping and the caller put on all gradients.
double gradient_scale(const AdamWArgs& args) {
  const double most = args.rates[1];
  if (args.norm == nullptr || !(most > 0)) return args.rates[2];
  const double clip = most / (*args.norm + 1e-6);
  return args.rates[2] * (clip < 1 ? clip : 1.0);
}

void adamw(const AdamWArgs& args) {
  if (args.norm != nullptr && !__builtin_isfinite(*args.norm)) return;
  const double scale = gradient_scale(args);
  for (int64_t i = 0; i < args.count; ++i) {
    const AdamWTensor& tensor = args.tensors[i];
    const double t = ++args.updates[tensor.slot];
    AdamWNumbers numbers = {args.beta1,   args.beta2, args.eps, args.rates[0] * tensor.lr_factor,
                            tensor.decay, 1,          1,        scale};
    if (args.bias_correction) {
      numbers.bias1 = 1 - __builtin_pow(args.beta1, t);
      numbers.bias2 = 1 - __builtin_pow(args.beta2, t);
    }
    SESAME_FLOAT_TYPES("adamw", args.dtype, adamw_update<T>(tensor, numbers));
    if (tensor.twin != nullptr) write_twin(tensor);
  }
}

void sgd(const SgdArgs& args) { SESAME_FLOAT_TYPES("sgd", args.dtype, sgd_update<T>(args)); }

// 0, or not a number where an element is not finite.
template <class T>
double nothing_if_finite(const View& x) {
  double sum = 0;
  for (int64_t i = 0; i < x.numel; ++i) sum += 0.0 * static_cast<double>(ptr<const T>(x)[i]);
  return sum;
}

void sum_squares(const SumSquaresArgs& args) {
  double total = 0;
  for (int64_t i = 0; i < args.count; ++i) {
    const View& x = args.tensors[i];
    const bool guard = i >= args.count - args.guards;
    SESAME_FLOAT_TYPES("sum_squares", x.dtype,
                       args.sums[i] = guard ? nothing_if_finite<T>(x) : squares<T>(x));
    total += args.sums[i];
  }
  args.sums[args.count] = __builtin_sqrt(total);
}

}  // namespace

void fill_optimizer(KernelTable& table) {
  table.adamw = adamw;
  table.sgd = sgd;
  table.sum_squares = sum_squares;
}

SESAME_KERNELS_END
