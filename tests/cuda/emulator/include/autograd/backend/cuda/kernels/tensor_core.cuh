// The host twin of autograd/backend/cuda/kernels/tensor_core.cuh: the same functions as the PTX ISA describes
// the instructions, element by element, for warps whose lanes are fibers. It shadows that header.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include "tests/cuda/emulator/warp.h"

namespace sesame::cuda {

struct FragmentA {
  std::uint32_t x[4];
};
struct FragmentB {
  std::uint32_t x[2];
};
struct FragmentC {
  float x[4];
};

namespace emulated_tensor_core {

// One of the bfloat16 values that a lane holds in its registers, numbered as in the ISA: element i lies in
// register i / 2, the even one in the low half.
inline float element(const std::uint32_t* registers, int i) {
  const std::uint32_t half = i % 2 == 0 ? registers[i / 2] & 0xFFFFu : registers[i / 2] >> 16;
  return std::bit_cast<float>(half << 16);
}

// "Matrix Fragments for mma.m16n8k16 with floating point type": where element i of a lane stands.
struct Place {
  int row, column;
};
inline Place place_in_a(int lane, int i) {  // a0 .. a7
  const int group = lane >> 2, in_group = lane % 4;
  return {(i >= 0 && i < 2) || (i >= 4 && i < 6) ? group : group + 8,
          i < 4 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8};
}
inline Place place_in_b(int lane, int i) {  // b0 .. b3
  const int group = lane >> 2, in_group = lane % 4;
  return {i < 2 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8, group};
}
inline Place place_in_c(int lane, int i) {  // c0 .. c3
  const int group = lane >> 2, in_group = lane % 4;
  return {i < 2 ? group : group + 8, in_group * 2 + (i & 1)};
}

[[noreturn]] inline void wrong(const char* what) {
  std::fprintf(stderr, "emulated tensor core: %s\n", what);
  std::abort();
}

using Row = std::array<std::uint16_t, 8>;

// ldmatrix .x4: thread 8 m + r gives the address of row r of matrix m.
inline void load_matrices(std::uint32_t (&x)[4], const void* row, bool transposed) {
  if (reinterpret_cast<std::uintptr_t>(row) % 16 != 0) wrong("ldmatrix wants rows aligned to 16 bytes");
  Row mine;
  std::memcpy(mine.data(), row, sizeof mine);
  const std::array<Row, 32> rows = emulated::warp_gather(mine);
  const int lane = emulated::lane();
  for (int m = 0; m < 4; ++m) {
    std::uint32_t halves[2];
    for (int e = 0; e < 2; ++e) {
      // Thread T receives row T / 4, elements 2 (T % 4) and the next one; .trans exchanges row and column.
      const int along = lane / 4, across = 2 * (lane % 4) + e;
      const int matrix_row = transposed ? across : along, matrix_column = transposed ? along : across;
      halves[e] = rows[static_cast<std::size_t>(8 * m + matrix_row)][static_cast<std::size_t>(matrix_column)];
    }
    x[m] = halves[0] | halves[1] << 16;
  }
}

// Copies that were begun, for each thread of the running block; a copy happens no earlier than the wait for
// its group, so that a wait that is missing shows.
struct Copy {
  void* to;
  const void* from;
  std::size_t bytes;
  bool inside;
};
struct CopyQueue {
  unsigned block = ~0u;
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

inline CopyQueue& copy_queue() {
  static std::array<CopyQueue, 1024> queues;
  CopyQueue& queue = queues[threadIdx.x];
  if (queue.block != blockIdx.x) {
    if (!queue.open.empty()) wrong("a block ended with copies that were never committed");
    for (const auto& group : queue.groups) {
      if (!group.empty()) wrong("a block ended with copies that were never waited for");
    }
    queue.groups.clear();
    queue.block = blockIdx.x;
  }
  return queue;
}

inline void begin_copy(void* shared, const void* global, std::size_t bytes, bool inside) {
  if (reinterpret_cast<std::uintptr_t>(shared) % bytes != 0 ||
      reinterpret_cast<std::uintptr_t>(global) % bytes != 0) {
    wrong("cp.async wants both sides aligned to the size of the copy");
  }
  copy_queue().open.push_back({shared, global, bytes, inside});
}

}  // namespace emulated_tensor_core

inline void mma_m16n8k16(FragmentC& c, const FragmentA& a, const FragmentB& b) {
  using namespace emulated_tensor_core;
  struct Operands {
    FragmentA a;
    FragmentB b;
  };
  const std::array<Operands, 32> all = emulated::warp_gather(Operands{a, b});
  float left[16][16], right[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const Operands& its = all[static_cast<std::size_t>(lane)];
    for (int i = 0; i < 8; ++i) {
      const Place at = place_in_a(lane, i);
      left[at.row][at.column] = element(its.a.x, i);
    }
    for (int i = 0; i < 4; ++i) {
      const Place at = place_in_b(lane, i);
      right[at.row][at.column] = element(its.b.x, i);
    }
  }
  for (int i = 0; i < 4; ++i) {
    const Place at = place_in_c(emulated::lane(), i);
    float sum = c.x[i];
    for (int k = 0; k < 16; ++k) sum += left[at.row][k] * right[k][at.column];
    c.x[i] = sum;
  }
}

inline void ldmatrix_x4(std::uint32_t (&x)[4], const void* row) {
  emulated_tensor_core::load_matrices(x, row, false);
}
inline void ldmatrix_x4_trans(std::uint32_t (&x)[4], const void* row) {
  emulated_tensor_core::load_matrices(x, row, true);
}

inline void cp_async16(void* shared, const void* global, bool inside) {
  emulated_tensor_core::begin_copy(shared, global, 16, inside);
}
inline void cp_async4(void* shared, const void* global, bool inside) {
  emulated_tensor_core::begin_copy(shared, global, 4, inside);
}
inline void cp_async_commit() {
  auto& queue = emulated_tensor_core::copy_queue();
  queue.groups.push_back(std::move(queue.open));
  queue.open.clear();
}
template <int N>
void cp_async_wait() {
  auto& groups = emulated_tensor_core::copy_queue().groups;
  while (groups.size() > static_cast<std::size_t>(N)) {
    for (const auto& copy : groups.front()) {
      if (copy.inside) {
        std::memcpy(copy.to, copy.from, copy.bytes);
      } else {
        std::memset(copy.to, 0, copy.bytes);
      }
    }
    groups.pop_front();
  }
}

// cvt.rn.bf16x2.f32: to the nearest, ties to even; the first operand of the instruction is the high half.
inline std::uint32_t pack_bfloat16(float low, float high) {
  const auto round = [](float x) -> std::uint32_t {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    if (std::isnan(x)) return 0x7FFFu;
    return (bits + 0x7FFFu + (bits >> 16 & 1)) >> 16;
  };
  return round(low) | round(high) << 16;
}

inline float low_bfloat16(std::uint32_t word) { return emulated_tensor_core::element(&word, 0); }
inline float high_bfloat16(std::uint32_t word) { return emulated_tensor_core::element(&word, 1); }

inline float exp2_approximate(float x) {
  const float y = std::exp2(x);
  return y < 0x1p-126f ? 0.0f : y;  // .ftz
}

}  // namespace sesame::cuda
