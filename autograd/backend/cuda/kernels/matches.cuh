// Positions that match a condition, found by a block in ascending order: what keeps sums over equal indices
// free of atomics, so that they come out the same every time.
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

// Writes the threads with `match` into list [kBlock] in ascending order and returns their number. Every
// thread of the block calls it; the list stays until the next call.
__device__ inline int ordered_matches(bool match, int* list) {
  __shared__ int counts[kBlock / 32];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const unsigned ballot = __ballot_sync(kAllLanes, match);
  __syncthreads();  // the list and the counts of an earlier call may still be read
  if (lane == 0) counts[warp] = __popc(ballot);
  __syncthreads();
  int before = 0, total = 0;
  for (int w = 0; w < kBlock / 32; ++w) {
    if (w < warp) before += counts[w];
    total += counts[w];
  }
  if (match) list[before + __popc(ballot & ((1u << lane) - 1))] = static_cast<int>(threadIdx.x);
  __syncthreads();
  return total;
}

}  // namespace sesame::cuda
