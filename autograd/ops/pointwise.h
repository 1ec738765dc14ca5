// Pointwise arithmetic with NumPy broadcasting, and activation functions.
#pragma once

#include "autograd/tensor.h"

namespace sesame {

// z = a op b; shapes broadcast; equal dtype and device. Gradients are summed back to the operands' shapes.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);  // equal values: the gradient goes to a
Tensor minimum(const Tensor& a, const Tensor& b);
// y = scale * x + shift.
Tensor affine(const Tensor& x, double scale, double shift);
// y = x^exponent.
Tensor power(const Tensor& x, double exponent);

Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor square(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor swish(const Tensor& x);      // x sigmoid(x)
Tensor gelu(const Tensor& x);       // x Phi(x), by erf (Hendrycks & Gimpel 2016)
Tensor gelu_tanh(const Tensor& x);  // its tanh approximation, "gelu_new"

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator*(const Tensor& x, double scale) { return affine(x, scale, 0); }
inline Tensor operator*(double scale, const Tensor& x) { return affine(x, scale, 0); }
inline Tensor operator+(const Tensor& x, double shift) { return affine(x, 1, shift); }
inline Tensor operator-(const Tensor& x) { return neg(x); }

}  // namespace sesame
