// Pointwise arithmetic and activation functions. Each formula is a small struct; the loops are written once.
#include <math.h>

#include "autograd/backend/cpu/kernels/strided.h"
#include "autograd/backend/cpu/kernels/vmath.h"

SESAME_KERNELS_BEGIN
namespace {

// --- formulas: value(x), and gradient(x, y) = dy/dx from the input or the output of the forward pass ---

template <class T>
struct Neg {
  static T value(T x) { return -x; }
  static T gradient(T, T) { return T(-1); }
};
template <class T>
struct Exp {
  static T value(T x) { return vexp(x); }
  static T gradient(T, T y) { return y; }
};
template <class T>
struct Log {
  static T value(T x) { return vlog(x); }
  static T gradient(T x, T) { return T(1) / x; }
};
inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }
template <class T>
struct Sqrt {
  static T value(T x) { return square_root(x); }
  static T gradient(T, T y) { return T(0.5) / y; }
};
template <class T>
struct Abs {  // + 0 turns -0 into 0
  static T value(T x) { return x < T(0) ? -x : x + T(0); }
  static T gradient(T x, T) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0); }
};
template <class T>
struct Square {
  static T value(T x) { return x * x; }
  static T gradient(T x, T) { return x + x; }
};
template <class T>
struct Relu {  // NaN stays
  static T value(T x) { return x < T(0) ? T(0) : x; }
  static T gradient(T x, T) { return x > T(0) ? T(1) : T(0); }
};
template <class T>
struct Sigmoid {
  static T value(T x) { return vsigmoid(x); }
  static T gradient(T, T y) { return y * (T(1) - y); }
};
template <class T>
struct Tanh {
  static T value(T x) { return vtanh(x); }
  static T gradient(T, T y) { return T(1) - y * y; }
};
template <class T>
struct Swish {
  static T value(T x) { return vswish(x); }
  static T gradient(T x, T) { return vswish_grad(x); }
};
template <class T>
struct Gelu {
  static T value(T x) { return vgelu(x); }
  static T gradient(T x, T) { return vgelu_grad(x); }
};
template <class T>
struct GeluTanh {
  static T value(T x) { return vgelu_tanh(x); }
  static T gradient(T x, T) { return vgelu_tanh_grad(x); }
};

// z = value(a, b).
template <class T>
struct Add {
  static T value(T a, T b) { return a + b; }
};
template <class T>
struct Sub {
  static T value(T a, T b) { return a - b; }
};
template <class T>
struct Mul {
  static T value(T a, T b) { return a * b; }
};
template <class T>
struct Div {
  static T value(T a, T b) { return a / b; }
};
template <class T>
struct Maximum {  // NaN in either operand is kept
  static T value(T a, T b) { return (a >= b) | (a != a) ? a : b; }
};
template <class T>
struct Minimum {
  static T value(T a, T b) { return (a <= b) | (a != a) ? a : b; }
};

// --- unary ---------------------------------------------------------------------------------------

template <class Formula, class T>
void unary_loop(T* out, const T* x, int64_t n) {
#pragma omp parallel if (n > kParallelGrain)
  {
    const Range part = thread_share(n, 64);
#pragma omp simd
    for (int64_t i = part.begin; i < part.end; ++i) out[i] = Formula::value(x[i]);
  }
}

// Formulas read x or y, never both: the one that was not kept is null and stands for the other.
template <class Formula, class T>
void unary_backward_loop(T* dx, const T* dy, const T* x, const T* y, int64_t n) {
  if (x == nullptr) x = y;
  if (y == nullptr) y = x;
  if (x == nullptr) x = y = dy;
#pragma omp parallel if (n > kParallelGrain)
  {
    const Range part = thread_share(n, 64);
#pragma omp simd
    for (int64_t i = part.begin; i < part.end; ++i) dx[i] = dy[i] * Formula::gradient(x[i], y[i]);
  }
}

// Relu must give 0 and not 0 * dy where dy is infinite or NaN.
template <class T>
void relu_backward_loop(T* dx, const T* dy, const T* x, int64_t n) {
#pragma omp parallel if (n > kParallelGrain)
  {
    const Range part = thread_share(n, 64);
#pragma omp simd
    for (int64_t i = part.begin; i < part.end; ++i) dx[i] = x[i] > T(0) ? dy[i] : T(0);
  }
}

#define SESAME_UNARY_CASES(X) \
  X(Neg) X(Exp) X(Log) X(Sqrt) X(Abs) X(Square) X(Relu) X(Sigmoid) X(Tanh) X(Swish) X(Gelu) X(GeluTanh)

template <class T>
void unary_typed(UnaryOp op, T* out, const T* x, int64_t n) {
  switch (op) {
#define SESAME_CASE(Name) \
  case UnaryOp::Name:     \
    return unary_loop<Name<T>>(out, x, n);
    SESAME_UNARY_CASES(SESAME_CASE)
#undef SESAME_CASE
  }
}

template <class T>
void unary_backward_typed(UnaryOp op, T* dx, const T* dy, const T* x, const T* y, int64_t n) {
  if (op == UnaryOp::Relu) return relu_backward_loop(dx, dy, x, n);
  switch (op) {
#define SESAME_CASE(Name) \
  case UnaryOp::Name:     \
    return unary_backward_loop<Name<T>>(dx, dy, x, y, n);
    SESAME_UNARY_CASES(SESAME_CASE)
#undef SESAME_CASE
  }
}

void unary(UnaryOp op, const View& out, const View& x) {
  SESAME_FLOAT_TYPES("unary", x.dtype, unary_typed(op, ptr<T>(out), ptr<const T>(x), x.numel));
}

void unary_backward(UnaryOp op, const View& dx, const View& dy, const View& x, const View& y) {
  SESAME_FLOAT_TYPES(
      "unary_backward", dx.dtype,
      unary_backward_typed(op, ptr<T>(dx), ptr<const T>(dy), ptr<const T>(x), ptr<const T>(y), dx.numel));
}

// --- binary --------------------------------------------------------------------------------------

// One row; a step of 0 is a broadcast value, kept in a register.
template <class Op, class T>
void binary_row(T* out, const T* a, const T* b, int64_t n, int64_t out_step, int64_t a_step, int64_t b_step) {
  if (out_step == 1 && a_step == 1 && b_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = Op::value(a[i], b[i]);
  } else if (out_step == 1 && a_step == 1 && b_step == 0) {
    const T value = b[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = Op::value(a[i], value);
  } else if (out_step == 1 && a_step == 0 && b_step == 1) {
    const T value = a[0];
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = Op::value(value, b[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * out_step] = Op::value(a[i * a_step], b[i * b_step]);
  }
}

template <class Op, class T>
void binary_loop(const StridedLoop<3>& loop, T* out, const T* a, const T* b) {
  const int64_t cols = loop.cols(), so = loop.step(0), sa = loop.step(1), sb = loop.step(2);
#pragma omp parallel if (loop.rows * cols > kParallelGrain)
  {
    if (loop.rows == 1) {
      const Range part = thread_share(cols, 64);
      binary_row<Op>(out + part.begin * so, a + part.begin * sa, b + part.begin * sb, part.end - part.begin,
                     so, sa, sb);
    } else {
      const Range part = thread_share(loop.rows);
      for (int64_t row = part.begin; row < part.end; ++row) {
        int64_t offset[3];
        loop.locate(row, offset);
        binary_row<Op>(out + offset[0], a + offset[1], b + offset[2], cols, so, sa, sb);
      }
    }
  }
}

template <class T>
void divide(const StridedLoop<3>& loop, T* out, const T* a, const T* b) {
  binary_loop<Div<T>>(loop, out, a, b);
}
void divide(const StridedLoop<3>&, int64_t*, const int64_t*, const int64_t*) {
  unsupported("div", DType::Int64);
}

template <class T>
void binary_typed(BinaryOp op, const StridedLoop<3>& loop, T* out, const T* a, const T* b) {
  switch (op) {
    case BinaryOp::Add:
      return binary_loop<Add<T>>(loop, out, a, b);
    case BinaryOp::Sub:
      return binary_loop<Sub<T>>(loop, out, a, b);
    case BinaryOp::Mul:
      return binary_loop<Mul<T>>(loop, out, a, b);
    case BinaryOp::Maximum:
      return binary_loop<Maximum<T>>(loop, out, a, b);
    case BinaryOp::Minimum:
      return binary_loop<Minimum<T>>(loop, out, a, b);
    case BinaryOp::Div:
      return divide(loop, out, a, b);
  }
}

void binary(BinaryOp op, const View& out, const View& a, const View& b) {
  if (out.numel == 0) return;
  const StridedLoop<3> loop = join_axes<3>({&out, &a, &b});
  if (out.dtype == DType::Int64) {
    return binary_typed(op, loop, ptr<int64_t>(out), ptr<const int64_t>(a), ptr<const int64_t>(b));
  }
  SESAME_FLOAT_TYPES("binary", out.dtype,
                     binary_typed(op, loop, ptr<T>(out), ptr<const T>(a), ptr<const T>(b)));
}

// --- affine and power ----------------------------------------------------------------------------

template <class T>
void affine_typed(T* out, const T* x, int64_t n, T scale, T shift) {
#pragma omp parallel if (n > kParallelGrain)
  {
    const Range part = thread_share(n, 64);
#pragma omp simd
    for (int64_t i = part.begin; i < part.end; ++i) out[i] = scale * x[i] + shift;
  }
}

void affine(const View& out, const View& x, double scale, double shift) {
  SESAME_FLOAT_TYPES(
      "affine", x.dtype,
      affine_typed(ptr<T>(out), ptr<const T>(x), x.numel, static_cast<T>(scale), static_cast<T>(shift)));
}

// out = factor * x^exponent * dy (no dy: 1). pow of the C library, in double: exact enough for either type.
template <class T>
void power_typed(T* out, const T* x, const T* dy, int64_t n, double exponent, double factor) {
#pragma omp parallel for schedule(static) if (n > kParallelGrain)
  for (int64_t i = 0; i < n; ++i) {
    const double value = factor * ::pow(static_cast<double>(x[i]), exponent);
    out[i] = static_cast<T>(dy == nullptr ? value : value * static_cast<double>(dy[i]));
  }
}

void power(const View& out, const View& x, double exponent) {
  SESAME_FLOAT_TYPES("power", x.dtype,
                     power_typed<T>(ptr<T>(out), ptr<const T>(x), nullptr, x.numel, exponent, 1));
}

void power_backward(const View& dx, const View& dy, const View& x, double exponent) {
  // The derivative of a constant is 0, also where x^-1 is not finite.
  const double below = exponent == 0 ? 0 : exponent - 1;
  SESAME_FLOAT_TYPES("power_backward", x.dtype,
                     power_typed(ptr<T>(dx), ptr<const T>(x), ptr<const T>(dy), x.numel, below, exponent));
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

SESAME_KERNELS_END
