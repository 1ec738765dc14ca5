#include "autograd/precision.h"

namespace sesame {
namespace {

thread_local DType compute_type = DType::Float32;

}  // namespace

MixedPrecision::MixedPrecision(DType compute) : previous_(compute_type) { compute_type = compute; }
MixedPrecision::~MixedPrecision() { compute_type = previous_; }

DType compute_dtype() { return compute_type; }

Tensor to_compute(const Tensor& x) {
  return compute_type == DType::BFloat16 && x.dtype() == DType::Float32 ? x.to(DType::BFloat16) : x;
}

Tensor from_compute(const Tensor& x) { return x.dtype() == DType::BFloat16 ? x.to(DType::Float32) : x; }

}  // namespace sesame
