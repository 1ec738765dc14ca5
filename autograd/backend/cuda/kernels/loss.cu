// Softmax cross-entropy, a block for each row, and binary cross-entropy by element. A target out of range
// counts as ignored (checks.cu reports it).
#include "autograd/backend/cuda/kernels/indices.cuh"
#include "autograd/backend/cuda/kernels/math.cuh"

namespace sesame::cuda {
namespace {

template <class T>
struct CrossEntropy {
  const T* logits;
  const std::int64_t* targets;
  std::int64_t cols, ignore_index;
  float smoothing;
  float* lse;
};

template <class T>
__global__ void cross_entropy_kernel(CrossEntropy<T> p, T* loss) {
  const std::int64_t row = blockIdx.x, target = p.targets[row];
  if (target == p.ignore_index || !inside(target, p.cols)) {  // the whole block
    if (threadIdx.x == 0) {
      loss[row] = from_float<T>(0);
      p.lse[row] = 0;
    }
    return;
  }
  const T* x = p.logits + row * p.cols;
  float top = -INFINITY, sum = 0, plain = 0;
  for (std::int64_t j = threadIdx.x; j < p.cols; j += kBlock) top = fmaxf(top, to_float(x[j]));
  top = block_max(top);
  for (std::int64_t j = threadIdx.x; j < p.cols; j += kBlock) {
    const float value = to_float(x[j]);
    sum += expf(value - top);
    plain += value;
  }
  sum = block_sum(sum);
  plain = block_sum(plain);
  if (threadIdx.x != 0) return;
  const float lse = top + logf(sum);
  p.lse[row] = lse;
  float result = lse - (1.0f - p.smoothing) * to_float(x[target]);
  if (p.smoothing > 0) result -= p.smoothing * (plain / static_cast<float>(p.cols));
  loss[row] = from_float<T>(result);
}

template <class T>
__global__ void cross_entropy_backward_kernel(CrossEntropy<T> p, const T* dloss, T* dlogits) {
  const std::int64_t row = blockIdx.x, target = p.targets[row];
  T* dx = dlogits + row * p.cols;
  const bool ignored = target == p.ignore_index || !inside(target, p.cols);
  const float scale = to_float(dloss[row]), lse = p.lse[row],
              spread = p.smoothing / static_cast<float>(p.cols);
  for (std::int64_t j = threadIdx.x; j < p.cols; j += kBlock) {
    const float wanted = spread + (j == target ? 1.0f - p.smoothing : 0.0f);
    dx[j] =
        from_float<T>(ignored ? 0.0f : scale * (expf(to_float(p.logits[row * p.cols + j]) - lse) - wanted));
  }
}

template <class T>
CrossEntropy<T> pointers(const CrossEntropyArgs& a) {
  return {static_cast<const T*>(a.logits), a.targets, a.cols, a.ignore_index, static_cast<float>(a.smoothing),
          static_cast<float*>(a.lse)};
}

void cross_entropy(const CrossEntropyArgs& args) {
  if (args.cols == 0) return;
  SESAME_CUDA_TYPES("cross_entropy", args.dtype,
                    launch("cross_entropy", cross_entropy_kernel<T>, static_cast<unsigned>(args.rows), kBlock,
                           pointers<T>(args), static_cast<T*>(args.loss)));
}

void cross_entropy_backward(const CrossEntropyBackwardArgs& args) {
  if (args.forward.cols == 0) return;
  SESAME_CUDA_TYPES("cross_entropy", args.forward.dtype,
                    launch("cross_entropy", cross_entropy_backward_kernel<T>,
                           static_cast<unsigned>(args.forward.rows), kBlock, pointers<T>(args.forward),
                           static_cast<const T*>(args.dloss), static_cast<T*>(args.dlogits)));
}

template <class T>
__global__ void bce_kernel(T* loss, const T* x, const T* target, std::int64_t n) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    const float value = to_float(x[i]), positive = value < 0 ? 0.0f : value;
    loss[i] = from_float<T>(positive - value * to_float(target[i]) + log1pf(expf(-fabsf(value))));
  }
}

template <class T>
__global__ void bce_backward_kernel(T* dx, const T* dy, const T* x, const T* target, std::int64_t n) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    dx[i] = from_float<T>(to_float(dy[i]) * (sigmoid(to_float(x[i])) - to_float(target[i])));
  }
}

void bce_with_logits(const View& out, const View& x, const View& target) {
  SESAME_CUDA_TYPES("bce_with_logits", x.dtype,
                    launch("bce_with_logits", bce_kernel<T>, loop_blocks(x.numel), kBlock, ptr<T>(out),
                           ptr<const T>(x), ptr<const T>(target), x.numel));
}

void bce_with_logits_backward(const View& dx, const View& dy, const View& x, const View& target) {
  SESAME_CUDA_TYPES("bce_with_logits", x.dtype,
                    launch("bce_with_logits", bce_backward_kernel<T>, loop_blocks(x.numel), kBlock,
                           ptr<T>(dx), ptr<const T>(dy), ptr<const T>(x), ptr<const T>(target), x.numel));
}

}  // namespace

void fill_loss(KernelTable& table) {
  table.cross_entropy = cross_entropy;
  table.cross_entropy_backward = cross_entropy_backward;
  table.bce_with_logits = bce_with_logits;
  table.bce_with_logits_backward = bce_with_logits_backward;
}

}  // namespace sesame::cuda
