// Tensor cores and asynchronous copies as small functions over PTX (Parallel Thread Execution ISA, sections
// "Matrix Fragments for mma.m16n8k16", "ldmatrix" and "cp.async"); compute capability 8.0 and later. All but
// the copies are done by a whole warp together, every lane with the same shared arrays.
//
// With g = lane / 4 and t = lane % 4, a lane holds of D[16, 8] = A[16, 16] B[16, 8] + C[16, 8]:
//   A  x[0] = A[g][2t, 2t + 1]           x[1] = A[g + 8][2t, 2t + 1]
//      x[2] = A[g][2t + 8, 2t + 9]       x[3] = A[g + 8][2t + 8, 2t + 9]
//   B  x[0] = B[2t, 2t + 1][g]           x[1] = B[2t + 8, 2t + 9][g]
//   C  x[0], x[1] = C[g][2t, 2t + 1]     x[2], x[3] = C[g + 8][2t, 2t + 1]
// A word holds two bfloat16, the one of the smaller index in the low half.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

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

// c += a b, products of bfloat16 summed in float32. Volatile, though it touches no memory: the whole warp has
// to get here together, so that no compiler may move it behind a branch.
__device__ inline void mma_m16n8k16(FragmentC& c, const FragmentA& a, const FragmentB& b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c.x[0]), "+f"(c.x[1]), "+f"(c.x[2]), "+f"(c.x[3])
      : "r"(a.x[0]), "r"(a.x[1]), "r"(a.x[2]), "r"(a.x[3]), "r"(b.x[0]), "r"(b.x[1]));
}

__device__ inline std::uint32_t shared_address(const void* shared) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
}

// Four 8 x 8 matrices of bfloat16 from shared memory. Lane 8 m + r points at row r of matrix m, 16 bytes,
// aligned; x[m] of each lane becomes M[g][2t, 2t + 1] of matrix m.
__device__ inline void ldmatrix_x4(std::uint32_t (&x)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(shared_address(row))
               : "memory");
}
// The same of the transposed matrices: x[m] becomes M[2t, 2t + 1][g].
__device__ inline void ldmatrix_x4_trans(std::uint32_t (&x)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(shared_address(row))
               : "memory");
}

// Begins to copy 16 bytes, both sides aligned to 16, past the L1 cache; zeros instead of the source (which is
// then not read) where `inside` is false.
__device__ inline void cp_async16(void* shared, const void* global, bool inside) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(inside ? 16 : 0)
               : "memory");
}
// The same for 4 bytes.
__device__ inline void cp_async4(void* shared, const void* global, bool inside) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)), "l"(global),
               "r"(inside ? 4 : 0)
               : "memory");
}
// Closes this thread's group of copies begun since the last group; a group may be empty.
__device__ inline void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until all but the last N groups of this thread have arrived; other threads see them after a barrier.
template <int N>
__device__ inline void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

// Two floats rounded to bfloat16 in one word.
__device__ inline std::uint32_t pack_bfloat16(float low, float high) {
  std::uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
  return word;
}

__device__ inline float low_bfloat16(std::uint32_t word) { return __uint_as_float(word << 16); }
__device__ inline float high_bfloat16(std::uint32_t word) { return __uint_as_float(word & 0xFFFF0000u); }

// 2^x to 2 units in the last place, tiny results as 0.
__device__ inline float exp2_approximate(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace sesame::cuda
