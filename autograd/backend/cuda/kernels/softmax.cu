// Softmax and log-softmax over rows: a block for each row.
#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {
namespace {

template <class T>
__global__ void softmax_kernel(bool log, T* out, const T* x, std::int64_t cols) {
  const std::int64_t row = blockIdx.x;
  const T* in = x + row * cols;
  T* y = out + row * cols;
  float top = -INFINITY;
  for (std::int64_t j = threadIdx.x; j < cols; j += kBlock) top = fmaxf(top, to_float(in[j]));
  top = block_max(top);
  float sum = 0;
  for (std::int64_t j = threadIdx.x; j < cols; j += kBlock) sum += expf(to_float(in[j]) - top);
  sum = block_sum(sum);
  const float log_sum = logf(sum), scale = 1.0f / sum;
  for (std::int64_t j = threadIdx.x; j < cols; j += kBlock) {
    const float shifted = to_float(in[j]) - top;
    y[j] = from_float<T>(log ? shifted - log_sum : expf(shifted) * scale);
  }
}

template <class T>
__global__ void softmax_backward_kernel(bool log, T* dx, const T* dy, const T* y, std::int64_t cols) {
  const std::int64_t row = blockIdx.x;
  const T *g = dy + row * cols, *p = y + row * cols;
  float total = 0;
  for (std::int64_t j = threadIdx.x; j < cols; j += kBlock) {
    total += log ? to_float(g[j]) : to_float(g[j]) * to_float(p[j]);
  }
  total = block_sum(total);
  for (std::int64_t j = threadIdx.x; j < cols; j += kBlock) {
    const float gradient = to_float(g[j]), value = to_float(p[j]);
    dx[row * cols + j] = from_float<T>(log ? gradient - expf(value) * total : value * (gradient - total));
  }
}

void softmax(bool log, const View& out, const View& x) {
  if (x.numel == 0) return;
  const std::int64_t cols = x.size[x.dim - 1];
  SESAME_CUDA_TYPES("softmax", x.dtype,
                    launch("softmax", softmax_kernel<T>, static_cast<unsigned>(x.numel / cols), kBlock, log,
                           ptr<T>(out), ptr<const T>(x), cols));
}

void softmax_backward(bool log, const View& dx, const View& dy, const View& y) {
  if (y.numel == 0) return;
  const std::int64_t cols = y.size[y.dim - 1];
  SESAME_CUDA_TYPES(
      "softmax_backward", y.dtype,
      launch("softmax_backward", softmax_backward_kernel<T>, static_cast<unsigned>(y.numel / cols), kBlock,
             log, ptr<T>(dx), ptr<const T>(dy), ptr<const T>(y), cols));
}

}  // namespace

void fill_softmax(KernelTable& table) {
  table.softmax = softmax;
  table.softmax_backward = softmax_backward;
}

}  // namespace sesame::cuda
