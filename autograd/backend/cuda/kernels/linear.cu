// Epilogues of the linear layer: bias and activation, and their gradients.
#include "autograd/backend/cuda/kernels/column_sums.cuh"
#include "autograd/backend/cuda/kernels/math.cuh"

namespace sesame::cuda {
namespace {

// Rows may be further apart than they are wide; bias and pre may be null.
template <class T>
__global__ void bias_activation_kernel(Activation activation, T* y, const T* bias, T* pre, std::int64_t rows,
                                       std::int64_t cols, std::int64_t y_stride, std::int64_t pre_stride) {
  for (std::int64_t i = loop_begin(); i < rows * cols; i += loop_step()) {
    const std::int64_t row = i / cols, j = i % cols;
    T value = y[row * y_stride + j];
    if (bias != nullptr) value = from_float<T>(to_float(value) + to_float(bias[j]));
    if (pre != nullptr) pre[row * pre_stride + j] = value;
    y[row * y_stride + j] = from_float<T>(activate(activation, to_float(value)));
  }
}

template <class T>
__global__ void activation_backward_kernel(Activation activation, T* dpre, const T* dy, const T* pre,
                                           std::int64_t rows, std::int64_t cols, std::int64_t dpre_stride,
                                           std::int64_t dy_stride, std::int64_t pre_stride) {
  for (std::int64_t i = loop_begin(); i < rows * cols; i += loop_step()) {
    const std::int64_t row = i / cols, j = i % cols;
    const float g = to_float(dy[row * dy_stride + j]);
    const float slope =
        pre == nullptr ? 1.0f : activation_grad(activation, to_float(pre[row * pre_stride + j]));
    dpre[row * dpre_stride + j] = from_float<T>(g * slope);
  }
}

template <class T>
struct Rows {
  static constexpr int kCount = 1;
  const T* x;
  std::int64_t stride;
  __device__ void values(std::int64_t row, std::int64_t column, float (&out)[1]) const {
    out[0] = to_float(x[row * stride + column]);
  }
};

void bias_activation(Activation activation, const View& y, const View& bias, const View& pre) {
  if (y.numel == 0) return;
  SESAME_CUDA_TYPES(
      "linear", y.dtype,
      launch("linear", bias_activation_kernel<T>, loop_blocks(y.numel), kBlock, activation, ptr<T>(y),
             ptr<const T>(bias), ptr<T>(pre), y.size[0], y.size[1], y.stride[0], pre.stride[0]));
}

template <class T>
void backward(Activation activation, const View& dpre, const View& dbias, const View& dy, const View& pre) {
  if (dy.numel > 0 && (activation != Activation::None || dpre.data != dy.data)) {
    launch("linear", activation_backward_kernel<T>, loop_blocks(dy.numel), kBlock, activation, ptr<T>(dpre),
           ptr<const T>(dy), activation == Activation::None ? nullptr : ptr<const T>(pre), dy.size[0],
           dy.size[1], dpre.stride[0], dy.stride[0], pre.stride[0]);
  }
  if (dbias.data == nullptr) return;
  T* const sums[1] = {ptr<T>(dbias)};
  column_sums("linear", Rows<T>{ptr<const T>(dpre), dpre.stride[0]}, dy.size[0], dy.size[1], sums);
}

void bias_activation_backward(Activation activation, const View& dpre, const View& dbias, const View& dy,
                              const View& pre) {
  SESAME_CUDA_TYPES("linear", dy.dtype, backward<T>(activation, dpre, dbias, dy, pre));
}

}  // namespace

void fill_linear(KernelTable& table) {
  table.bias_activation = bias_activation;
  table.bias_activation_backward = bias_activation_backward;
}

}  // namespace sesame::cuda
