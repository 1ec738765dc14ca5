// Philox4x32-10 (autograd/random.h) over runs of counters. Written with intrinsics where there are wide
// registers: the compiler does not find the 32 x 32 -> 64 bit multiply in the plain form.
#pragma once

#include "autograd/backend/cpu/kernels/isa.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#define SESAME_VMATH inline __attribute__((always_inline))

namespace sesame::cpu {
namespace SESAME_ISA {

constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9u, kPhiloxWeyl1 = 0xBB67AE85u;

// One block: counter (c0, c1, c2, c3) -> out[4].
SESAME_VMATH void philox4(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint64_t key, uint32_t* out) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(kPhiloxMultiplier0) * c0;
    const uint64_t p1 = static_cast<uint64_t>(kPhiloxMultiplier1) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += kPhiloxWeyl0;
    k1 += kPhiloxWeyl1;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

// A vector register of 64-bit lanes; a lane carries one word of one block in its low half, and rubbish in the
// other half, which the multiply ignores.
#if defined(__AVX512F__)
using Lanes = uint64_t __attribute__((vector_size(64)));
SESAME_VMATH Lanes multiply_low(Lanes a, Lanes b) {
  return reinterpret_cast<Lanes>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}
#elif defined(__AVX2__)
using Lanes = uint64_t __attribute__((vector_size(32)));
SESAME_VMATH Lanes multiply_low(Lanes a, Lanes b) {
  return reinterpret_cast<Lanes>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
#endif

#if defined(__AVX2__)
constexpr int kLanes = sizeof(Lanes) / sizeof(uint64_t);

// Philox blocks base .. base + kLanes of the third counter, in the order 0, n/2, 1, n/2 + 1, ...: then the
// two halves of the output come out of one interleaving each. Unaligned store of 4 * kLanes words.
SESAME_VMATH void philox_lanes(uint32_t c0, uint32_t c1, uint32_t base, uint32_t c3, uint64_t key,
                               uint32_t* out) {
  const uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  Lanes even, odd, order;
  for (int i = 0; i < kLanes; ++i) {
    order[i] = static_cast<uint64_t>(i / 2 + i % 2 * (kLanes / 2));
    even[i] = static_cast<uint64_t>(i % 2 == 0 ? i : kLanes + i - 1);
    odd[i] = even[i] + 1;
  }
  const Lanes zero = order - order, multiplier0 = zero + kPhiloxMultiplier0,
              multiplier1 = zero + kPhiloxMultiplier1;
  Lanes w0 = zero + c0, w1 = zero + c1, w2 = order + base, w3 = zero + c3;
#pragma GCC unroll 10
  for (uint32_t round = 0; round < 10; ++round) {
    const Lanes p0 = multiply_low(w0, multiplier0), p1 = multiply_low(w2, multiplier1);
    w0 = (p1 >> 32) ^ w1 ^ static_cast<uint64_t>(k0 + round * kPhiloxWeyl0);
    w1 = p1;
    w2 = (p0 >> 32) ^ w3 ^ static_cast<uint64_t>(k1 + round * kPhiloxWeyl1);
    w3 = p0;
  }
  const Lanes w01 = (w0 & 0xFFFFFFFFu) | (w1 << 32), w23 = (w2 & 0xFFFFFFFFu) | (w3 << 32);
  const Lanes first = __builtin_shuffle(w01, w23, even), second = __builtin_shuffle(w01, w23, odd);
  memcpy(out, &first, sizeof first);
  memcpy(out + 2 * kLanes, &second, sizeof second);
}
#endif

// Blocks with counters (c0, c1, first + i, c3), i in [0, blocks): out[4 * blocks], block after block.
inline void philox_run(uint32_t c0, uint32_t c1, uint32_t first, uint32_t c3, uint64_t key, int64_t blocks,
                       uint32_t* out) {
#if defined(__AVX2__)
  for (; blocks >= kLanes; blocks -= kLanes, first += kLanes, out += 4 * kLanes) {
    philox_lanes(c0, c1, first, c3, key, out);
  }
#endif
  for (; blocks > 0; --blocks, ++first, out += 4) philox4(c0, c1, first, c3, key, out);
}

}  // namespace SESAME_ISA
}  // namespace sesame::cpu
