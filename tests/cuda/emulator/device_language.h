// Included before every .cu file: what nvcc adds to C++, for a host compiler. The toolkit's headers leave
// __global__ and __device__ empty there; a block's shared memory is static, since blocks run one by one.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "tests/cuda/emulator/stream.h"
#include "tests/cuda/emulator/warp.h"

#undef __global__
#define __global__
#undef __device__
#define __device__
#undef __host__
#define __host__
#undef __shared__
#define __shared__ static
#undef __constant__
#define __constant__ static
#undef __forceinline__
#define __forceinline__ inline
#undef __launch_bounds__
#define __launch_bounds__(...)
#undef __grid_constant__
#define __grid_constant__
#undef __align__
#define __align__(n) alignas(n)
#undef __restrict__
#define __restrict__ __restrict

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

inline void __syncthreads() { emulated::block_barrier(); }
inline int __syncthreads_or(int vote) { return emulated::block_votes(vote != 0).yes != 0; }
inline int __syncthreads_and(int vote) {
  const emulated::Votes votes = emulated::block_votes(vote != 0);
  return votes.yes == votes.all;
}
inline int __syncthreads_count(int vote) { return emulated::block_votes(vote != 0).yes; }
inline void __threadfence() {}
inline void __threadfence_block() {}

inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __saturatef(float x) { return std::min(std::max(x, 0.0f), 1.0f); }
inline size_t __cvta_generic_to_shared(const void* p) { return reinterpret_cast<size_t>(p); }
using std::max;
using std::min;
template <class V>
V __ldg(const V* p) {
  return *p;
}
template <class V>
V __ldcs(const V* p) {
  return *p;
}
template <class V>
void __stcs(V* p, V value) {
  *p = value;
}

// Threads run one at a time, so plain arithmetic is atomic.
template <class V>
V atomicAdd(V* p, std::type_identity_t<V> value) {
  const V old = *p;
  *p += value;
  return old;
}
template <class V>
V atomicMax(V* p, std::type_identity_t<V> value) {
  const V old = *p;
  *p = std::max(old, value);
  return old;
}
template <class V>
V atomicMin(V* p, std::type_identity_t<V> value) {
  const V old = *p;
  *p = std::min(old, value);
  return old;
}
template <class V>
V atomicCAS(V* p, std::type_identity_t<V> wanted, std::type_identity_t<V> value) {
  const V old = *p;
  if (old == wanted) *p = value;
  return old;
}
template <class V>
V atomicExch(V* p, std::type_identity_t<V> value) {
  return std::exchange(*p, value);
}

// Arguments are copied when the kernel is launched, as a driver does.
#define cudaLaunchKernelEx emulated_launch_kernel
template <class... Parameters, class... Arguments>
cudaError_t emulated_launch_kernel(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                                   Arguments&&... arguments) {
  std::tuple<std::remove_cv_t<Parameters>...> copies(std::forward<Arguments>(arguments)...);
  return emulated::launch(*config, reinterpret_cast<const void*>(kernel),
                          [kernel, copies] { std::apply(kernel, copies); });
}
template <class Kernel>
cudaError_t cudaFuncSetAttribute(Kernel* kernel, cudaFuncAttribute attribute, int value) {
  return emulated::set_attribute(reinterpret_cast<const void*>(kernel), attribute, value);
}
template <class Kernel>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel*, int, std::size_t) {
  *blocks = 2;
  return cudaSuccess;
}
