// Pointwise arithmetic and activation functions. The op is an argument of the kernel: memory is what these
// kernels wait for, and one kernel per type keeps the build short.
#include "autograd/backend/cuda/kernels/math.cuh"
#include "autograd/backend/cuda/kernels/strided.cuh"

namespace sesame::cuda {
namespace {

__device__ float unary_value(UnaryOp op, float x) {
  switch (op) {
    case UnaryOp::Neg:
      return -x;
    case UnaryOp::Exp:
      return expf(x);
    case UnaryOp::Log:
      return logf(x);
    case UnaryOp::Sqrt:
      return sqrtf(x);
    case UnaryOp::Abs:
      return fabsf(x);
    case UnaryOp::Square:
      return x * x;
    case UnaryOp::Relu:
      return x < 0.0f ? 0.0f : x;
    case UnaryOp::Sigmoid:
      return sigmoid(x);
    case UnaryOp::Tanh:
      return tanhf(x);
    case UnaryOp::Swish:
      return x * sigmoid(x);
    case UnaryOp::Gelu:
      return gelu(x);
    case UnaryOp::GeluTanh:
      return gelu_tanh(x);
  }
  return x;
}

// dy/dx from the input x or the output y of the forward pass, whichever the op keeps.
__device__ float unary_gradient(UnaryOp op, float x, float y) {
  switch (op) {
    case UnaryOp::Neg:
      return -1.0f;
    case UnaryOp::Exp:
      return y;
    case UnaryOp::Log:
      return 1.0f / x;
    case UnaryOp::Sqrt:
      return 0.5f / y;
    case UnaryOp::Abs:
      return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f;
    case UnaryOp::Square:
      return x + x;
    case UnaryOp::Relu:
      return x > 0.0f ? 1.0f : 0.0f;
    case UnaryOp::Sigmoid:
      return y * (1.0f - y);
    case UnaryOp::Tanh:
      return 1.0f - y * y;
    case UnaryOp::Swish:
      return swish_grad(x);
    case UnaryOp::Gelu:
      return gelu_grad(x);
    case UnaryOp::GeluTanh:
      return gelu_tanh_grad(x);
  }
  return 0.0f;
}

template <class T>
__global__ void unary_kernel(UnaryOp op, T* out, const T* x, std::int64_t n) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step())
    out[i] = from_float<T>(unary_value(op, to_float(x[i])));
}

// x and y: the one that was not kept points to the other.
template <class T>
__global__ void unary_backward_kernel(UnaryOp op, T* dx, const T* dy, const T* x, const T* y,
                                      std::int64_t n) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    const float g = to_float(dy[i]), value = to_float(x[i]);
    // Relu must give 0 and not 0 * dy where dy is infinite or NaN.
    const float result =
        op == UnaryOp::Relu ? (value > 0.0f ? g : 0.0f) : g * unary_gradient(op, value, to_float(y[i]));
    dx[i] = from_float<T>(result);
  }
}

// For float and int64; NaN in either operand of maximum and minimum is kept. Div of int64 is refused before.
template <class V>
__device__ V binary_value(BinaryOp op, V a, V b) {
  switch (op) {
    case BinaryOp::Add:
      return a + b;
    case BinaryOp::Sub:
      return a - b;
    case BinaryOp::Mul:
      return a * b;
    case BinaryOp::Div:
      return a / b;
    case BinaryOp::Maximum:
      return a >= b || a != a ? a : b;
    case BinaryOp::Minimum:
      return a <= b || a != a ? a : b;
  }
  return a;
}

template <class T>
__global__ void binary_kernel(BinaryOp op, T* out, const T* a, const T* b, Strided<3> at) {
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    std::int64_t offset[3];
    at.locate(i, offset);
    if constexpr (std::is_same_v<T, std::int64_t>) {
      out[offset[0]] = binary_value(op, a[offset[1]], b[offset[2]]);
    } else {
      out[offset[0]] = from_float<T>(binary_value(op, to_float(a[offset[1]]), to_float(b[offset[2]])));
    }
  }
}

template <class T>
__global__ void affine_kernel(T* out, const T* x, std::int64_t n, float scale, float shift) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step())
    out[i] = from_float<T>(scale * to_float(x[i]) + shift);
}

// out = factor * x^exponent * dy (no dy: 1).
template <class T>
__global__ void power_kernel(T* out, const T* x, const T* dy, std::int64_t n, double exponent,
                             double factor) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    const double value = factor * pow(static_cast<double>(to_float(x[i])), exponent);
    out[i] = from_float<T>(
        static_cast<float>(dy == nullptr ? value : value * static_cast<double>(to_float(dy[i]))));
  }
}

void unary(UnaryOp op, const View& out, const View& x) {
  SESAME_CUDA_TYPES("unary", x.dtype,
                    launch("unary", unary_kernel<T>, loop_blocks(x.numel), kBlock, op, ptr<T>(out),
                           ptr<const T>(x), x.numel));
}

void unary_backward(UnaryOp op, const View& dx, const View& dy, const View& x, const View& y) {
  const View &kept = x.data != nullptr   ? x
                     : y.data != nullptr ? y
                                         : dy,
             &output = y.data != nullptr ? y : kept;
  SESAME_CUDA_TYPES("unary_backward", dx.dtype,
                    launch("unary_backward", unary_backward_kernel<T>, loop_blocks(dx.numel), kBlock, op,
                           ptr<T>(dx), ptr<const T>(dy), ptr<const T>(kept), ptr<const T>(output), dx.numel));
}

template <class T>
void binary_typed(BinaryOp op, const View& out, const View& a, const View& b) {
  launch("binary", binary_kernel<T>, loop_blocks(out.numel), kBlock, op, ptr<T>(out), ptr<const T>(a),
         ptr<const T>(b), join_axes<3>({&out, &a, &b}));
}

void binary(BinaryOp op, const View& out, const View& a, const View& b) {
  if (out.numel == 0) return;
  if (out.dtype == DType::Int64 && op != BinaryOp::Div) return binary_typed<std::int64_t>(op, out, a, b);
  SESAME_CUDA_TYPES("binary", out.dtype, binary_typed<T>(op, out, a, b));
}

void affine(const View& out, const View& x, double scale, double shift) {
  SESAME_CUDA_TYPES("affine", x.dtype,
                    launch("affine", affine_kernel<T>, loop_blocks(x.numel), kBlock, ptr<T>(out),
                           ptr<const T>(x), x.numel, static_cast<float>(scale), static_cast<float>(shift)));
}

void power(const View& out, const View& x, double exponent) {
  SESAME_CUDA_TYPES("power", x.dtype,
                    launch("power", power_kernel<T>, loop_blocks(x.numel), kBlock, ptr<T>(out),
                           ptr<const T>(x), nullptr, x.numel, exponent, 1.0));
}

void power_backward(const View& dx, const View& dy, const View& x, double exponent) {
  // The derivative of a constant is 0, also where x^-1 is not finite.
  const double below = exponent == 0 ? 0 : exponent - 1;
  SESAME_CUDA_TYPES("power_backward", x.dtype,
                    launch("power_backward", power_kernel<T>, loop_blocks(x.numel), kBlock, ptr<T>(dx),
                           ptr<const T>(x), ptr<const T>(dy), x.numel, below, exponent));
}

}  // namespace

void fill_pointwise(KernelTable& table) {
  table.unary = unary;
  table.unary_backward = unary_backward;
  table.binary = binary;
  table.affine = affine;
  table.power = power;
  table.power_backward = power_backward;
}

}  // namespace sesame::cuda
