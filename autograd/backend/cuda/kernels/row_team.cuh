// Rows of a matrix, each worked on by a team of threads: a warp for short rows, a block for long ones.
#pragma once

#include <initializer_list>

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

constexpr std::int64_t kWarpColumns = 1024;  // rows up to here belong to a warp

template <int Lanes>
__device__ std::int64_t team_row() {
  return static_cast<std::int64_t>(blockIdx.x) * (kBlock / Lanes) + threadIdx.x / Lanes;
}
template <int Lanes>
__device__ int team_lane() {
  return static_cast<int>(threadIdx.x) % Lanes;
}
template <int Lanes>
__device__ float team_sum(float x) {
  if constexpr (Lanes == 32) {
    return warp_sum(x);
  } else {
    return block_sum(x);
  }
}
template <int Lanes>
__device__ float team_max(float x) {
  if constexpr (Lanes == 32) {
    return warp_max(x);
  } else {
    return block_max(x);
  }
}

// Calls body(column) for the packs of N columns of this thread.
template <int N, int Lanes, class Body>
__device__ void each_pack(std::int64_t cols, Body body) {
#pragma unroll 4
  for (std::int64_t j = team_lane<Lanes>() * N; j < cols; j += Lanes * N) body(j);
}

// Calls run<N, Lanes>(blocks) as the width of the rows asks for; N is 1, 2 or as many as 16 bytes hold, so
// that every row begins at a pack. A vocabulary's width is rarely a multiple of more than 2.
template <class T, class Run>
void with_team(std::int64_t rows, std::int64_t cols, std::initializer_list<const void*> data, Run run) {
  constexpr int width = pack_width<T>();
  const auto fits = [&]<int N>(std::integral_constant<int, N>) {
    bool packs = cols % N == 0;
    for (const void* at : data) packs = packs && takes_packs<N>(static_cast<const T*>(at));
    return packs;
  };
  const auto with_lanes = [&]<int N>(std::integral_constant<int, N>) {
    if (cols <= kWarpColumns) return run.template operator()<N, 32>(blocks_for(rows, kBlock / 32));
    run.template operator()<N, kBlock>(blocks_for(rows, 1));
  };
  constexpr std::integral_constant<int, width> wide;
  constexpr std::integral_constant<int, 2> two;
  if (fits(wide)) return with_lanes(wide);
  if (fits(two)) return with_lanes(two);
  with_lanes(std::integral_constant<int, 1>{});
}

// --- sums of exponentials in one pass over a row -------------------------------------------------

// sum of exp(x - top) over what was added, top being its maximum.
struct Exponentials {
  float top = -INFINITY, sum = 0;
};

template <int N>
__device__ void add_exponentials(Exponentials& e, const Floats<N>& x) {
  float top = e.top;
  for (int i = 0; i < N; ++i) top = fmaxf(top, x[i]);
  if (top == -INFINITY) return;  // the difference of two infinities is no number
  float sum = e.sum * expf(e.top - top);
  for (int i = 0; i < N; ++i) sum += expf(x[i] - top);
  e = {top, sum};
}

// Those of the whole team, for each of its threads.
template <int Lanes>
__device__ Exponentials team_exponentials(const Exponentials& mine) {
  const float top = team_max<Lanes>(mine.top);
  const float part = mine.sum == 0.0f ? 0.0f : mine.sum * expf(mine.top - top);
  return {top, team_sum<Lanes>(part)};
}

}  // namespace sesame::cuda
