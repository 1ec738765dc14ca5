// LayerNorm (Ba, Kiros & Hinton 2016), alone and fused with dropout and the residual connection, and dropout itself.
#pragma once

#include "autograd/backend/kernel_table.h"
#include "autograd/tensor.h"

namespace sesame {

// y = (x - mean) / sqrt(var + eps) * gamma + beta over the last axis; var is the biased variance.
// x [.., C], gamma and beta [C] of x's type, or float32 beside a bfloat16 x (mixed precision).
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps);
Tensor layer_norm_composed(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps);

// y = layer_norm(residual + dropout(x)): the end of each half of a transformer layer. x, residual [T, C];
// row_keys [T] int64 (Segments::token_keys) name the rows for dropout; they may be undefined when it is not active.
Tensor dropout_add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma, const Tensor& beta,
                              double eps, const DropoutSpec& dropout = {}, const Tensor& row_keys = {});
Tensor dropout_add_layer_norm_composed(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                                       const Tensor& beta, double eps, const DropoutSpec& dropout,
                                       const Tensor& row_keys);

// y = x * keep * scale with keep drawn as DropoutSpec says. x [rows, C]; row_keys [rows] int64 or undefined
// (row i has key i). The mask is drawn again in the backward pass, not stored.
Tensor dropout(const Tensor& x, const DropoutSpec& spec, const Tensor& row_keys = {});

}  // namespace sesame
