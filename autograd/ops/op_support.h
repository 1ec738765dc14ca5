// What every op file needs: argument checks with one wording, and access to the kernels.
#pragma once

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/node.h"
#include "autograd/tensor.h"

namespace sesame {

// Throws unless x is a floating tensor.
inline void check_floating(const char* op, const char* name, const Tensor& x) {
  SESAME_CHECK(x.defined(), op, "{} is undefined", name);
  SESAME_CHECK(is_floating(x.dtype()), op, "{} must be a floating tensor, got {}", name,
               dtype_name(x.dtype()));
}

// Throws unless a and b have one dtype and one device.
inline void check_same_kind(const char* op, const Tensor& a, const Tensor& b) {
  SESAME_CHECK(a.dtype() == b.dtype() && a.device() == b.device(), op,
               "operands differ: {} {} on {} and {} {} on {}; convert with to()", a.shape(),
               dtype_name(a.dtype()), a.device().name(), b.shape(), dtype_name(b.dtype()), b.device().name());
}

// The kernel `entry` of x's device; throws when the backend lacks it.
template <class Function>
Function* kernel(const char* op, const Tensor& x, Function* KernelTable::*entry) {
  Function* function = kernels(x.device()).*entry;
  SESAME_CHECK(function != nullptr, op, "no {} kernel on {}", dtype_name(x.dtype()), x.device().name());
  return function;
}

// Type of what the backward pass reads again besides tensors (means, log-sum-exps): float32 where x is
// bfloat16.
inline TensorOptions statistics_of(const Tensor& x) {
  return {x.dtype() == DType::BFloat16 ? DType::Float32 : x.dtype(), x.device()};
}

// The view of a tensor that a kernel may do without.
inline View view_or_none(const Tensor& x) { return x.defined() ? x.view() : View{}; }

inline Tensor empty_like(const Tensor& x) { return Tensor::empty(x.shape(), x.options()); }
inline Tensor zeros_like(const Tensor& x) { return Tensor::zeros(x.shape(), x.options()); }

}  // namespace sesame
