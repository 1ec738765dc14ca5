// Elementary functions as branch-free inline code, so that a plain loop over them is vectorised. float: own
// approximations, errors held by tests/test_vmath.cpp; double: the C library. Everywhere NaN stays NaN and
// infinities give the exact limits.
#pragma once

#include <math.h>

#include "autograd/backend/cpu/kernels/isa.h"
#include "autograd/backend/cpu/kernels/philox.h"

namespace sesame::cpu {
namespace SESAME_ISA {

// Both keep NaN: a comparison with NaN is false and chooses x.
template <class T>
SESAME_VMATH T at_most(T x, T high) {
  return x > high ? high : x;
}
template <class T>
SESAME_VMATH T at_least(T x, T low) {
  return x < low ? low : x;
}

// 2^n for n in [-126, 127].
SESAME_VMATH float power_of_two(int32_t n) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(n + 127) << 23);
}

// --- exp, log
// ---------------------------------------------------------------------------------------------------

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2; polynomial of Cephes' expf. 2^n is applied in
// two halves, so that overflow and subnormal results come out right.
SESAME_VMATH float vexp(float x) {
  const float clamped = at_least(at_most(x, 89.0f), -104.0f);
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float shifted = clamped * 1.44269504088896341f + magic;
  const float n = shifted - magic;
  float r = clamped - n * 0.693359375f;  // ln 2 in two parts, the first exact in nine bits
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  const int32_t e = __builtin_bit_cast(int32_t, shifted) - 0x4B400000;
  const int32_t half = e >> 1;
  return p * power_of_two(half) * power_of_two(e - half);
}
SESAME_VMATH double vexp(double x) { return ::exp(x); }

// log(x) = e ln 2 + log(m), m in [sqrt(1/2), sqrt(2)); polynomial of Cephes' logf.
SESAME_VMATH float vlog(float x) {
  const bool tiny = x < 1.17549435e-38f;
  const float scaled = tiny ? x * 8388608.0f : x;  // subnormals become normal
  const uint32_t bits = __builtin_bit_cast(uint32_t, scaled);
  const int32_t e = static_cast<int32_t>(bits - 0x3F3504F3u) >> 23;
  const float f = __builtin_bit_cast(float, bits - (static_cast<uint32_t>(e) << 23)) - 1.0f;
  const float exponent = static_cast<float>(e) - (tiny ? 23.0f : 0.0f);
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float z = f * f;
  float y = p * f * z + exponent * -2.12194440e-4f - 0.5f * z;
  y = f + y + exponent * 0.693359375f;
  y = x > 3.4028234e38f ? x : y;              // inf
  y = x == 0.0f ? -__builtin_inff() : y;      // log 0
  return x >= 0.0f ? y : __builtin_nanf("");  // negative numbers and NaN
}
SESAME_VMATH double vlog(double x) { return ::log(x); }

// --- sigmoid, tanh, swish
// -----------------------------------------------------------------------------------------

template <class T>
SESAME_VMATH T vsigmoid(T x) {
  return T(1) / (T(1) + vexp(-x));
}

// Odd polynomial of Cephes' tanhf for |x| < 0.625, else 1 - 2 / (exp(2|x|) + 1) with the sign of x.
SESAME_VMATH float vtanh(float x) {
  const float a = __builtin_fabsf(x), z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float small = p * z * x + x;
  const float large = __builtin_copysignf(1.0f - 2.0f / (vexp(2.0f * a) + 1.0f), x);
  return a < 0.625f ? small : large;
}
SESAME_VMATH double vtanh(double x) { return ::tanh(x); }

// x sigmoid(x). The clamp is where the result is 0 already; it keeps -inf * 0 away.
SESAME_VMATH float vswish(float x) {
  const float c = at_least(x, -104.0f);
  return c * vsigmoid(c);
}
SESAME_VMATH double vswish(double x) {
  const double c = at_least(x, -750.0);
  return c * vsigmoid(c);
}
template <class T>
SESAME_VMATH T vswish_grad(T x) {
  const T limit = sizeof(T) == sizeof(float) ? T(104) : T(750);
  const T c = at_least(at_most(x, limit), -limit), s = vsigmoid(c);
  return s + c * (s * (T(1) - s));
}

// --- erf and GELU
// -------------------------------------------------------------------------------------------------

// x * polynomial(x^2) for |x| <= 0.9277 and 1 - exp(polynomial(|x|)) beyond (N. Juffa's minimax fits).
SESAME_VMATH float verf(float x) {
  const float t = at_most(__builtin_fabsf(x), 10.0f), s = t * t;
  float p = -5.96761703e-4f;
  p = p * s + 4.99119423e-3f;
  p = p * s - 2.67681349e-2f;
  p = p * s + 1.12819925e-1f;
  p = p * s - 3.76125336e-1f;
  p = p * s + 1.28379166e-1f;
  const float near = p * x + x;
  float q = (-1.72853470e-5f * t + 3.83197126e-4f) * s + (-3.88396438e-3f * t + 2.42546219e-2f);
  q = q * t - 1.06777877e-1f;
  q = q * t - 6.34846687e-1f;
  q = q * t - 1.28717512e-1f;
  const float far = __builtin_copysignf(1.0f - vexp(q * t - t), x);
  return t > 0.927734375f ? far : near;
}
SESAME_VMATH double verf(double x) { return ::erf(x); }

// 2^q for q in [-126, 0], one scaling and no clamps: a minimax polynomial (relative error 2e-9) on the
// fraction.
SESAME_VMATH float exp2_negative(float q) {
  const float magic = 12582912.0f, shifted = q + magic;
  const float f = q - (shifted - magic);
  float p = 1.535336196e-4f;
  p = p * f + 1.339887502e-3f;
  p = p * f + 9.618436918e-3f;
  p = p * f + 5.550332367e-2f;
  p = p * f + 2.402264774e-1f;
  p = p * f + 6.931471825e-1f;
  p = p * f + 1.0f;
  return p * power_of_two(__builtin_bit_cast(int32_t, shifted) - 0x4B400000);
}

// Standard normal distribution function. The lower tail is 2^(polynomial of |x|), fitted so that it is off by
// less than 7e-9 everywhere and by less than 1 % of itself down to x = -13; it is 0 from there. Nothing
// cancels in it.
constexpr float kNormalEnd = 12.9f;
SESAME_VMATH float normal_cdf(float x) {
  const float a = at_most(__builtin_fabsf(x), kNormalEnd);
  float q = 5.287540406e-10f;
  q = q * a - 3.000134896e-8f;
  q = q * a + 7.084179288e-7f;
  q = q * a - 9.003208106e-6f;
  q = q * a + 6.561442569e-5f;
  q = q * a - 2.475238289e-4f;
  q = q * a - 5.495677397e-5f;
  q = q * a + 7.001497783e-3f;
  q = q * a - 5.247132480e-2f;
  q = q * a - 4.592127800e-1f;
  q = q * a - 1.151104927f;
  q = q * a - 1.0f;
  const float tail = a == kNormalEnd ? 0.0f : exp2_negative(q);
  return x < 0.0f ? tail : 1.0f - tail;
}
SESAME_VMATH double normal_cdf(double x) { return 0.5 * ::erfc(x * -0.70710678118654752440); }

// exp(-x^2 / 2) / sqrt(2 pi), |x| <= kNormalEnd, where it becomes 0.
SESAME_VMATH float normal_density(float x) {
  const float s = x * x;
  return s < kNormalEnd * kNormalEnd ? exp2_negative(-0.721347520f * s - 1.325748065f) : 0.0f;
}
SESAME_VMATH double normal_density(double x) { return 0.39894228040143267794 * ::exp(-0.5 * x * x); }

// Beyond these the functions below are 0, 1 or x.
template <class T>
constexpr T kGeluLimit = sizeof(T) == sizeof(float) ? T(kNormalEnd) : T(40);

// x Phi(x) (Hendrycks & Gimpel 2016).
template <class T>
SESAME_VMATH T vgelu(T x) {
  return at_least(x, -kGeluLimit<T>) * normal_cdf(x);
}
// Phi(x) + x phi(x).
template <class T>
SESAME_VMATH T vgelu_grad(T x) {
  const T c = at_least(at_most(x, kGeluLimit<T>), -kGeluLimit<T>);
  return normal_cdf(c) + c * normal_density(c);
}

// x / 2 (1 + tanh(u)) = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class T>
SESAME_VMATH T vgelu_tanh(T x) {
  const T c = at_least(x, -kGeluLimit<T>), a = at_most(c, kGeluLimit<T>);
  return c * vsigmoid(T(1.59576912160573071176) * a * (T(1) + T(0.044715) * a * a));
}
template <class T>
SESAME_VMATH T vgelu_tanh_grad(T x) {
  const T c = at_least(at_most(x, kGeluLimit<T>), -kGeluLimit<T>), q = T(0.044715) * c * c;
  const T s = vsigmoid(T(1.59576912160573071176) * c * (T(1) + q));
  return s + c * (s * (T(1) - s)) * (T(1.59576912160573071176) * (T(1) + T(3) * q));
}

}  // namespace SESAME_ISA
}  // namespace sesame::cpu
