// Pointwise arithmetic and activation functions. The op is an argument of the kernel, chosen once for each
// pack: memory is what these kernels wait for, and one kernel per type keeps the build short. With s bytes an
// element they move: unary, affine, power 2 s; binary, unary_backward and power_backward 3 s; binary with a
// broadcast row or number 2 s.
#include "autograd/backend/cuda/kernels/map.cuh"
#include "autograd/backend/cuda/kernels/math.cuh"
#include "autograd/backend/cuda/kernels/strided.cuh"

namespace sesame::cuda {
namespace {

// Calls body(f) with f(x) of the op.
template <class Body>
__device__ void with_function(UnaryOp op, Body body) {
  switch (op) {
    case UnaryOp::Neg:
      return body([](float x) { return -x; });
    case UnaryOp::Exp:
      return body([](float x) { return expf(x); });
    case UnaryOp::Log:
      return body([](float x) { return logf(x); });
    case UnaryOp::Sqrt:
      return body([](float x) { return sqrtf(x); });
    case UnaryOp::Abs:
      return body([](float x) { return fabsf(x); });
    case UnaryOp::Square:
      return body([](float x) { return x * x; });
    case UnaryOp::Relu:
      return body([](float x) { return x < 0.0f ? 0.0f : x; });
    case UnaryOp::Sigmoid:
      return body([](float x) { return sigmoid(x); });
    case UnaryOp::Tanh:
      return body([](float x) { return tanhf(x); });
    case UnaryOp::Swish:
      return body([](float x) { return x * sigmoid(x); });
    case UnaryOp::Gelu:
      return body([](float x) { return gelu(x); });
    case UnaryOp::GeluTanh:
      return body([](float x) { return gelu_tanh(x); });
  }
}

// Calls body(f) with f(g, kept) = g dy/dx, `kept` being the input or the output of the forward pass.
template <class Body>
__device__ void with_gradient(UnaryOp op, Body body) {
  switch (op) {
    case UnaryOp::Neg:
      return body([](float g, float) { return -g; });
    case UnaryOp::Exp:
      return body([](float g, float y) { return g * y; });
    case UnaryOp::Log:
      return body([](float g, float x) { return g * (1.0f / x); });
    case UnaryOp::Sqrt:
      return body([](float g, float y) { return g * (0.5f / y); });
    case UnaryOp::Abs:
      return body([](float g, float x) { return g * (x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : 0.0f); });
    case UnaryOp::Square:
      return body([](float g, float x) { return g * (x + x); });
    case UnaryOp::Relu:  // 0 and not 0 * g: g may be infinite or NaN
      return body([](float g, float x) { return x > 0.0f ? g : 0.0f; });
    case UnaryOp::Sigmoid:
      return body([](float g, float y) { return g * (y * (1.0f - y)); });
    case UnaryOp::Tanh:
      return body([](float g, float y) { return g * (1.0f - y * y); });
    case UnaryOp::Swish:
      return body([](float g, float x) { return g * swish_grad(x); });
    case UnaryOp::Gelu:
      return body([](float g, float x) { return g * gelu_grad(x); });
    case UnaryOp::GeluTanh:
      return body([](float g, float x) { return g * gelu_tanh_grad(x); });
  }
}

bool needs_output(UnaryOp op) {
  return op == UnaryOp::Exp || op == UnaryOp::Sqrt || op == UnaryOp::Sigmoid || op == UnaryOp::Tanh;
}

struct Unary {
  UnaryOp op;
  template <int N>
  __device__ Floats<N> operator()(Floats<N> x) const {
    with_function(op, [&](auto f) {
      for (int i = 0; i < N; ++i) x[i] = f(x[i]);
    });
    return x;
  }
};

struct UnaryGradient {
  UnaryOp op;
  template <int N>
  __device__ Floats<N> operator()(Floats<N> dy, const Floats<N>& kept) const {
    with_gradient(op, [&](auto f) {
      for (int i = 0; i < N; ++i) dy[i] = f(dy[i], kept[i]);
    });
    return dy;
  }
};

struct Affine {
  float scale, shift;
  template <int N>
  __device__ Floats<N> operator()(Floats<N> x) const {
    for (int i = 0; i < N; ++i) x[i] = scale * x[i] + shift;
    return x;
  }
};

// factor x^exponent, and that times dy. In double, as the exponent is.
struct Power {
  double exponent, factor;
  __device__ double value(float x) const { return factor * pow(static_cast<double>(x), exponent); }
  template <int N>
  __device__ Floats<N> operator()(Floats<N> x) const {
    for (int i = 0; i < N; ++i) x[i] = static_cast<float>(value(x[i]));
    return x;
  }
  template <int N>
  __device__ Floats<N> operator()(Floats<N> x, const Floats<N>& dy) const {
    for (int i = 0; i < N; ++i) x[i] = static_cast<float>(value(x[i]) * static_cast<double>(dy[i]));
    return x;
  }
};

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

// N neighbours along the innermost axis at a time, where an operand has either N neighbours too or one
// element for all of them.
template <int N, class Index, class T>
__global__ void binary_kernel(BinaryOp op, T* out, const T* a, const T* b,
                              const __grid_constant__ Strided<3, Index> at) {
  const bool one_a = at.splat(1), one_b = at.splat(2);
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    Index offset[3];
    at.locate(static_cast<Index>(i), offset);
    if constexpr (std::is_same_v<T, std::int64_t>) {
      out[offset[0]] = binary_value(op, a[offset[1]], b[offset[2]]);
    } else {
      Floats<N> x = one_a ? splat<N>(a[offset[1]]) : load_floats<N>(a + offset[1]);
      const Floats<N> y = one_b ? splat<N>(b[offset[2]]) : load_floats<N>(b + offset[2]);
      for (int k = 0; k < N; ++k) x[k] = binary_value(op, x[k], y[k]);
      store_floats<N>(out + offset[0], x);
    }
  }
}

void unary(UnaryOp op, const View& out, const View& x) {
  SESAME_CUDA_TYPES("unary", x.dtype, map("unary", x.numel, Unary{op}, ptr<T>(out), ptr<const T>(x)));
}

void unary_backward(UnaryOp op, const View& dx, const View& dy, const View& x, const View& y) {
  const View& kept = op == UnaryOp::Neg ? dy : needs_output(op) ? y : x;
  SESAME_CUDA_TYPES(
      "unary_backward", dx.dtype,
      map("unary_backward", dx.numel, UnaryGradient{op}, ptr<T>(dx), ptr<const T>(dy), ptr<const T>(kept)));
}

template <class T>
void binary_typed(BinaryOp op, const View& out, const View& a, const View& b) {
  const auto run = [&]<int N, class Index>(const Strided<3, Index>& at) {
    launch("binary", binary_kernel<N, Index, T>, loop_blocks(at.numel), kBlock, op, ptr<T>(out),
           ptr<const T>(a), ptr<const T>(b), at);
  };
  constexpr int width = std::is_same_v<T, std::int64_t> ? 1 : pack_width<T>();
  const Strided<3> at = join_axes<3>({&out, &a, &b});
  if (!fits_32_bits(at)) return run.template operator()<1, std::int64_t>(at);
  if (width > 1 && in_packs<width, T>(at, {out.data, a.data, b.data}))
    return run.template operator()<width, unsigned>(narrow(packed<width>(at)));
  run.template operator()<1, unsigned>(narrow(at));
}

void binary(BinaryOp op, const View& out, const View& a, const View& b) {
  if (out.numel == 0) return;
  if (out.dtype == DType::Int64 && op != BinaryOp::Div) return binary_typed<std::int64_t>(op, out, a, b);
  SESAME_CUDA_TYPES("binary", out.dtype, binary_typed<T>(op, out, a, b));
}

void affine(const View& out, const View& x, double scale, double shift) {
  const Affine f{static_cast<float>(scale), static_cast<float>(shift)};
  SESAME_CUDA_TYPES("affine", x.dtype, map("affine", x.numel, f, ptr<T>(out), ptr<const T>(x)));
}

void power(const View& out, const View& x, double exponent) {
  SESAME_CUDA_TYPES("power", x.dtype,
                    map("power", x.numel, Power{exponent, 1.0}, ptr<T>(out), ptr<const T>(x)));
}

void power_backward(const View& dx, const View& dy, const View& x, double exponent) {
  // The derivative of a constant is 0, also where x^-1 is not finite.
  const Power f{exponent == 0 ? 0 : exponent - 1, exponent};
  SESAME_CUDA_TYPES("power_backward", x.dtype,
                    map("power_backward", x.numel, f, ptr<T>(dx), ptr<const T>(x), ptr<const T>(dy)));
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
