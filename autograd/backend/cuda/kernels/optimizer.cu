// Optimiser updates, float32: master weights are always float32.
#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {
namespace {

struct AdamW {
  float *weight, *m, *v;
  const float* grad;
  std::int64_t n;
  float beta1, beta2, rest1, rest2, eps, keep, step, root_bias2, scale;
};

__global__ void adamw_kernel(AdamW a) {
  for (std::int64_t i = loop_begin(); i < a.n; i += loop_step()) {
    const float g = a.grad[i] * a.scale;
    const float m = a.beta1 * a.m[i] + a.rest1 * g, v = a.beta2 * a.v[i] + a.rest2 * g * g;
    a.m[i] = m;
    a.v[i] = v;
    a.weight[i] = a.weight[i] * a.keep - a.step * m / (sqrtf(v) / a.root_bias2 + a.eps);
  }
}

void adamw(const AdamWArgs& a) {
  if (a.dtype != DType::Float32) unsupported("adamw", a.dtype);
  const AdamW args = {static_cast<float*>(a.weight),
                      static_cast<float*>(a.m),
                      static_cast<float*>(a.v),
                      static_cast<const float*>(a.grad),
                      a.numel,
                      static_cast<float>(a.beta1),
                      static_cast<float>(a.beta2),
                      static_cast<float>(1 - a.beta1),
                      static_cast<float>(1 - a.beta2),
                      static_cast<float>(a.eps),
                      static_cast<float>(1 - a.lr * a.decay),
                      static_cast<float>(a.lr / a.bias1),
                      static_cast<float>(__builtin_sqrt(a.bias2)),
                      static_cast<float>(a.grad_scale)};
  launch("adamw", adamw_kernel, loop_blocks(a.numel), kBlock, args);
}

// buffer may be null: plain SGD.
__global__ void sgd_kernel(float* weight, float* buffer, const float* grad, std::int64_t n, float lr,
                           float momentum, float decay, float scale) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    float step = grad[i] * scale + decay * weight[i];
    if (buffer != nullptr) buffer[i] = step = momentum * buffer[i] + step;
    weight[i] -= lr * step;
  }
}

void sgd(const SgdArgs& a) {
  if (a.dtype != DType::Float32) unsupported("sgd", a.dtype);
  launch("sgd", sgd_kernel, loop_blocks(a.numel), kBlock, static_cast<float*>(a.weight),
         static_cast<float*>(a.momentum_buffer), static_cast<const float*>(a.grad), a.numel,
         static_cast<float>(a.lr), static_cast<float>(a.momentum), static_cast<float>(a.decay),
         static_cast<float>(a.grad_scale));
}

}  // namespace

void fill_optimizer(KernelTable& table) {
  table.adamw = adamw;
  table.sgd = sgd;
}

}  // namespace sesame::cuda
