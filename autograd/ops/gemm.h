// C = A B + beta C on tensors, without recording: what matmul and the linear layers are made of. Internal.
#pragma once

#include "autograd/tensor.h"

namespace sesame {

// A product as a backend takes it, and what keeps its memory alive.
struct Product {
  GemmArgs args;
  Tensor left, right;
};

// a [.., m, k], b [.., k, n], c [.., m, n] with equal leading sizes; the caller has checked shapes and kinds.
// A and B may be views: transposed ones are passed by BLAS flag, other strides are copied where BLAS cannot
// take them. The rows of c must have stride 1 along n; its leading axes must be dense. c has the type of a
// and b, or float32 where they are bfloat16.
Product product_into(const Tensor& c, const Tensor& a, const Tensor& b, double beta = 0);
void gemm(const char* op, const Tensor& c, const Tensor& a, const Tensor& b, double beta = 0);

}  // namespace sesame
