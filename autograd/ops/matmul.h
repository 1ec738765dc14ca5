// Matrix products and the linear layer.
#pragma once

#include <vector>

#include "autograd/backend/kernel_table.h"
#include "autograd/tensor.h"

namespace sesame {

// C = A B. [m, k] x [k, n] -> [m, n]; batched [.., m, k] x [.., k, n] with equal leading sizes, or a right side [k, n]
// shared by all. Transposed views are passed to BLAS by flag, not copied.
// dA = dC B^T, dB = A^T dC.
Tensor matmul(const Tensor& a, const Tensor& b);

// y = activation(x W^T + b): x [T, in], weight [out, in], bias [out] or undefined -> [T, out].
// The pre-activation is kept for the backward pass. dx = dpre W, dW = dpre^T x, db = column sums of dpre.
// Parameters may be float32 where x is bfloat16: their twins are read (precision.h), their gradients are float32.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              Activation activation = Activation::None);
// The same from matmul, add and the activation's own op.
Tensor linear_composed(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation);

// Several linear layers on one input, side by side: y = [x W0^T + b0, x W1^T + b1, ...], [T, sum of out].
// One GEMM where the weights lie one behind the other in one storage (nn/layers/attention.h lays query, key and value
// so), else one each. Each weight keeps its own gradient and may be frozen alone. Biases: as many as weights, or none.
// Where no weight and no bias is frozen, their gradients are parts of one storage each.
Tensor linear_joined(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& biases);

}  // namespace sesame
