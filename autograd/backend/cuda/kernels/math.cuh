// Activation functions and their derivatives in float.
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

__device__ inline float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// x Phi(x), and Phi(x) + x phi(x).
__device__ inline float gelu(float x) { return 0.5f * x * (1.0f + erff(x * 0.70710678f)); }
__device__ inline float gelu_grad(float x) {
  return 0.5f * (1.0f + erff(x * 0.70710678f)) + x * 0.39894228f * expf(-0.5f * x * x);
}

// x / 2 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3).
__device__ inline float gelu_tanh(float x) {
  return 0.5f * x * (1.0f + tanhf(0.79788456f * (x + 0.044715f * x * x * x)));
}
__device__ inline float gelu_tanh_grad(float x) {
  const float t = tanhf(0.79788456f * (x + 0.044715f * x * x * x));
  return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * 0.79788456f * (1.0f + 0.134145f * x * x);
}

__device__ inline float swish_grad(float x) {
  const float s = sigmoid(x);
  return s + x * s * (1.0f - s);
}

__device__ inline float activate(Activation activation, float x) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Gelu:
      return gelu(x);
    case Activation::GeluTanh:
      return gelu_tanh(x);
    case Activation::Relu:
      return x < 0.0f ? 0.0f : x;
    case Activation::Tanh:
      return tanhf(x);
    case Activation::Swish:
      return x * sigmoid(x);
  }
  return x;
}

__device__ inline float activation_grad(Activation activation, float x) {
  switch (activation) {
    case Activation::None:
      return 1.0f;
    case Activation::Gelu:
      return gelu_grad(x);
    case Activation::GeluTanh:
      return gelu_tanh_grad(x);
    case Activation::Relu:
      return x > 0.0f ? 1.0f : 0.0f;
    case Activation::Tanh: {
      const float y = tanhf(x);
      return 1.0f - y * y;
    }
    case Activation::Swish:
      return swish_grad(x);
  }
  return 1.0f;
}

}  // namespace sesame::cuda
