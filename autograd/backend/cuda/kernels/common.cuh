// What all kernels share: launching, element types, reductions inside a block.
//
// Kernels read T (float or bfloat16), compute in float, and write T. They use one-dimensional blocks of a
// size fixed at compile time, static shared memory and full warps, and no thread leaves before a barrier.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "autograd/backend/cuda/kernels/dynamic_shared.cuh"
#include "autograd/backend/cuda/runtime.h"

namespace sesame::cuda {

using BFloat16 = __nv_bfloat16;

constexpr int kBlock = 256;  // threads of an ordinary block
constexpr unsigned kAllLanes = 0xffffffffu;

// The blocks of a launch: their number and threads, and the bytes that dynamic_shared() has.
struct Blocks {
  dim3 grid;
  int threads = kBlock;
  std::size_t shared = 0;
};

// Launches on the current device's stream. A grid without blocks does nothing.
template <class... Parameters>
void launch(const char* op, void (*kernel)(Parameters...), const Blocks& blocks,
            std::type_identity_t<Parameters>... arguments) {
  if (blocks.grid.x == 0 || blocks.grid.y == 0 || blocks.grid.z == 0) return;
  constexpr std::size_t plain = std::size_t{48} << 10;  // more has to be asked for
  if (blocks.shared > plain) {
    const auto bytes = static_cast<int>(blocks.shared);
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes), op);
  }
  cudaLaunchConfig_t config{};
  config.gridDim = blocks.grid;
  config.blockDim = dim3(static_cast<unsigned>(blocks.threads));
  config.dynamicSmemBytes = blocks.shared;
  config.stream = stream();
  check(cudaLaunchKernelEx(&config, kernel, arguments...), op);
}
template <class... Parameters>
void launch(const char* op, void (*kernel)(Parameters...), dim3 grid, int threads,
            std::type_identity_t<Parameters>... arguments) {
  launch(op, kernel, Blocks{grid, threads}, arguments...);
}

inline unsigned blocks_for(std::int64_t items, std::int64_t per_block) {
  return static_cast<unsigned>((items + per_block - 1) / per_block);
}

// Blocks of a grid-stride loop over n items: enough to fill any device, and no more.
inline unsigned loop_blocks(std::int64_t n) {
  const std::int64_t blocks = (n + kBlock - 1) / kBlock;
  return static_cast<unsigned>(blocks < 16384 ? blocks : 16384);
}

__device__ inline std::int64_t loop_begin() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t loop_step() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

// Runs the statements with T = float or BFloat16.
#define SESAME_CUDA_TYPES(op, dtype, ...)     \
  switch (dtype) {                            \
    case DType::Float32: {                    \
      using T = float;                        \
      __VA_ARGS__;                            \
      break;                                  \
    }                                         \
    case DType::BFloat16: {                   \
      using T = BFloat16;                     \
      __VA_ARGS__;                            \
      break;                                  \
    }                                         \
    default:                                  \
      ::sesame::cuda::unsupported(op, dtype); \
  }

template <class T>
T* ptr(const View& view) {
  return static_cast<T*>(view.data);
}

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(BFloat16 x) { return __bfloat162float(x); }

template <class T>
__device__ inline T from_float(float x) {
  if constexpr (std::is_same_v<T, float>) {
    return x;
  } else {
    return __float2bfloat16_rn(x);
  }
}

// --- reductions: every thread gets the result, in an order that never changes --------------------

__device__ inline float warp_sum(float x) {
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
  return x;
}
__device__ inline float warp_max(float x) {
  for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, offset));
  return x;
}

// Over a block of kBlock threads.
template <class V, class Combine>
__device__ V block_combine(V x, Combine combine) {
  __shared__ V parts[kBlock];
  __syncthreads();  // an earlier result may still be read
  parts[threadIdx.x] = x;
  __syncthreads();
  for (int half = kBlock / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half)
      parts[threadIdx.x] = combine(parts[threadIdx.x], parts[threadIdx.x + half]);
    __syncthreads();
  }
  return parts[0];
}

struct Plus {
  template <class V>
  __device__ V operator()(V a, V b) const {
    return a + b;
  }
};
struct Larger {
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

__device__ inline float block_sum(float x) { return block_combine(x, Plus{}); }
__device__ inline float block_max(float x) { return block_combine(x, Larger{}); }

// A value and where it stands; the larger one wins, of equal ones the first, a NaN over everything.
struct Ranked {
  float value;
  std::int64_t at;  // negative: none
};
__device__ inline bool outranks(const Ranked& a, const Ranked& b) {
  if (b.at < 0 || a.at < 0) return b.at < 0;
  const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  if (a_nan || b_nan) return a_nan && (!b_nan || a.at < b.at);
  return a.value > b.value || (a.value == b.value && a.at < b.at);
}
struct Outranking {
  __device__ Ranked operator()(const Ranked& a, const Ranked& b) const { return outranks(a, b) ? a : b; }
};

// --- columns: blocks of kColumns columns and kRowLanes rows at a time ----------------------------

constexpr int kColumns = 32, kRowLanes = kBlock / kColumns;

// Combines what the threads of one column hold; every thread gets its column's result.
template <class V, class Combine>
__device__ V column_combine(V x, Combine combine) {
  __shared__ V parts[kBlock];
  __syncthreads();
  parts[threadIdx.x] = x;
  __syncthreads();
  V result = parts[threadIdx.x % kColumns];
  for (int lane = 1; lane < kRowLanes; ++lane)
    result = combine(result, parts[lane * kColumns + threadIdx.x % kColumns]);
  return result;
}

}  // namespace sesame::cuda
