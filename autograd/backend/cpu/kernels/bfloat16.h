// bfloat16 on the CPU: stored and converted, never computed in.
#pragma once

#include "autograd/backend/cpu/kernels/isa.h"

SESAME_KERNELS_BEGIN

// bfloat16 is the upper half of a float32.
struct BFloat16 {
  uint16_t bits;
};

template <class To, class From>
struct Convert {
  static To value(From x) { return static_cast<To>(x); }
};
template <class To>
struct Convert<To, BFloat16> {
  static To value(BFloat16 x) {
    const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
    float wide;
    memcpy(&wide, &bits, sizeof wide);
    return static_cast<To>(wide);
  }
};
template <class From>
struct Convert<BFloat16, From> {
  static BFloat16 value(From x) {
    const float wide = static_cast<float>(x);
    uint32_t bits;
    memcpy(&bits, &wide, sizeof bits);
    if (wide != wide) return {static_cast<uint16_t>((bits >> 16) | 0x40)};       // NaN stays NaN
    return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};  // nearest, ties to even
  }
};
template <>
struct Convert<BFloat16, BFloat16> {
  static BFloat16 value(BFloat16 x) { return x; }
};

SESAME_KERNELS_END
