// The linear layer: product, bias and activation, and their gradients.
#include "autograd/backend/cpu/kernels/column_sums.h"
#include "autograd/backend/cpu/kernels/isa.h"
#include "autograd/backend/cpu/kernels/vmath.h"

SESAME_KERNELS_BEGIN
namespace {

template <Activation A, class T>
SESAME_VMATH T activate(T x) {
  if constexpr (A == Activation::Gelu) return vgelu(x);
  if constexpr (A == Activation::GeluTanh) return vgelu_tanh(x);
  if constexpr (A == Activation::Relu) return x < T(0) ? T(0) : x;
  if constexpr (A == Activation::Tanh) return vtanh(x);
  if constexpr (A == Activation::Swish) return vswish(x);
  return x;
}

template <Activation A, class T>
SESAME_VMATH T activation_grad(T x) {
  if constexpr (A == Activation::Gelu) return vgelu_grad(x);
  if constexpr (A == Activation::GeluTanh) return vgelu_tanh_grad(x);
  if constexpr (A == Activation::Relu) return x > T(0) ? T(1) : T(0);
  if constexpr (A == Activation::Tanh) {
    const T y = vtanh(x);
    return T(1) - y * y;
  }
  if constexpr (A == Activation::Swish) return vswish_grad(x);
  return T(1);
}

// One row; bias and pre may be null. `y` and `pre` never overlap.
template <Activation A, class T>
void forward_row(T* __restrict y, const T* __restrict bias, T* __restrict pre, int64_t cols) {
  if (bias != nullptr && pre != nullptr) {
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) {
      const T value = y[j] + bias[j];
      pre[j] = value;
      y[j] = activate<A>(value);
    }
  } else if (bias != nullptr) {
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) y[j] = activate<A>(y[j] + bias[j]);
  } else {
    if (pre != nullptr) memcpy(pre, y, static_cast<size_t>(cols) * sizeof(T));
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) y[j] = activate<A>(y[j]);
  }
}

template <Activation A, class T>
void forward(const View& y, const View& bias, const View& pre) {
  const int64_t rows = y.size[0], cols = y.size[1];
#pragma omp parallel for schedule(static) if (rows * cols > kParallelGrain)
  for (int64_t i = 0; i < rows; ++i) {
    forward_row<A, T>(ptr<T>(y) + i * y.stride[0], ptr<T>(bias),
                      pre.data == nullptr ? nullptr : ptr<T>(pre) + i * pre.stride[0], cols);
  }
}

// One row; dpre may be dy, sums may be null.
template <Activation A, class T>
void backward_row(T* dpre, T* __restrict sums, const T* dy, const T* pre, int64_t cols) {
  if (sums == nullptr) {
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) dpre[j] = dy[j] * activation_grad<A>(pre[j]);
  } else {
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) {
      const T d = dy[j] * activation_grad<A>(pre[j]);
      dpre[j] = d;
      sums[j] += d;
    }
  }
}

// sums += column sums of the rows [begin, end), four at a time.
template <class T>
void sum_rows(const View& x, int64_t begin, int64_t end, T* __restrict sums) {
  const int64_t cols = x.size[1], stride = x.stride[0];
  int64_t i = begin;
  for (; i + 4 <= end; i += 4) {
    const T *a = ptr<const T>(x) + i * stride, *b = a + stride, *c = b + stride, *d = c + stride;
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) sums[j] += (a[j] + b[j]) + (c[j] + d[j]);
  }
  for (; i < end; ++i) {
    const T* a = ptr<const T>(x) + i * stride;
#pragma omp simd
    for (int64_t j = 0; j < cols; ++j) sums[j] += a[j];
  }
}

// Rows [begin, end); sums may be null. Without an activation dpre is dy: only the sums are left to do.
template <Activation A, class T>
void backward_rows(const View& dpre, const View& dy, const View& pre, int64_t begin, int64_t end, T* sums) {
  const int64_t cols = dy.size[1];
  if constexpr (A == Activation::None) {
    const size_t bytes = static_cast<size_t>(cols) * sizeof(T);
    for (int64_t i = begin; i < end && dpre.data != dy.data; ++i) {
      memcpy(ptr<T>(dpre) + i * dpre.stride[0], ptr<const T>(dy) + i * dy.stride[0], bytes);
    }
    if (sums != nullptr) sum_rows<T>(dy, begin, end, sums);
  } else {
    for (int64_t i = begin; i < end; ++i) {
      backward_row<A, T>(ptr<T>(dpre) + i * dpre.stride[0], sums, ptr<const T>(dy) + i * dy.stride[0],
                         ptr<const T>(pre) + i * pre.stride[0], cols);
    }
  }
}

template <Activation A, class T>
void backward(const View& dpre, const View& dbias, const View& dy, const View& pre) {
  const int64_t rows = dy.size[0], cols = dy.size[1];
  const bool sums_wanted = dbias.data != nullptr;
  ColumnSums<T> sums(rows, cols, sums_wanted ? 1 : 0);
#pragma omp parallel for schedule(static) if (rows * cols > kParallelGrain)
  for (int64_t block = 0; block < sums.blocks(); ++block) {
    backward_rows<A, T>(dpre, dy, pre, sums.begin(block), sums.end(block), sums.start(block, 0));
  }
  if (sums_wanted) sums.finish(0, ptr<T>(dbias));
}

#define SESAME_ACTIVATIONS(activation, call) \
  switch (activation) {                      \
    case Activation::None:                   \
      call(Activation::None);                \
    case Activation::Gelu:                   \
      call(Activation::Gelu);                \
    case Activation::GeluTanh:               \
      call(Activation::GeluTanh);            \
    case Activation::Relu:                   \
      call(Activation::Relu);                \
    case Activation::Tanh:                   \
      call(Activation::Tanh);                \
    case Activation::Swish:                  \
      call(Activation::Swish);               \
  }

void bias_activation(Activation activation, const View& y, const View& bias, const View& pre) {
#define SESAME_CALL(A) return forward<A, T>(y, bias, pre)
  SESAME_FLOAT_TYPES("bias_activation", y.dtype, SESAME_ACTIVATIONS(activation, SESAME_CALL));
#undef SESAME_CALL
}

void bias_activation_backward(Activation activation, const View& dpre, const View& dbias, const View& dy,
                              const View& pre) {
#define SESAME_CALL(A) return backward<A, T>(dpre, dbias, dy, pre)
  SESAME_FLOAT_TYPES("bias_activation_backward", dy.dtype, SESAME_ACTIVATIONS(activation, SESAME_CALL));
#undef SESAME_CALL
}

View rows_of(DType dtype, void* data, int64_t rows, int64_t cols, int64_t stride) {
  View view;
  view.data = data;
  view.dtype = dtype;
  view.dim = 2;
  view.size[0] = rows;
  view.size[1] = cols;
  view.stride[0] = stride;
  view.stride[1] = 1;
  view.numel = rows * cols;
  return view;
}

void linear(const LinearArgs& args) {
  const GemmArgs& p = args.product;
  gemm(p);
  if (args.bias == nullptr && args.activation == Activation::None) return;
  View bias;
  bias.data = const_cast<void*>(args.bias);
  bias_activation(args.activation, rows_of(p.dtype, p.c, p.m, p.n, p.ldc), bias,
                  rows_of(p.dtype, args.pre, p.m, p.n, p.n));
}

void weight_gradient(const GemmArgs& product, const View& dbias, const View& dpre) {
  if (dbias.data != nullptr) bias_activation_backward(Activation::None, dpre, dbias, dpre, View{});
  gemm(product);
}

}  // namespace

void fill_linear(KernelTable& table) {
  table.linear = linear;
  table.bias_activation_backward = bias_activation_backward;
  table.weight_gradient = weight_gradient;
}

SESAME_KERNELS_END
