// Scaled dot-product attention (Vaswani et al. 2017, eq. 1) over packed sequences, multi-head.
#pragma once

#include "autograd/backend/kernel_table.h"
#include "autograd/segments.h"
#include "autograd/tensor.h"

namespace sesame {

struct AttentionOptions {
  std::int64_t heads = 1;
  AttentionPattern pattern = AttentionPattern::Bidirectional;
  double scale = 0;  // 0: 1 / sqrt(head width)
  DropoutSpec dropout = {};
};

// q [Tq, heads * d], k and v [Tk, heads * d]; rows may be strided (slices of a joined projection). Query segment i
// attends to key segment i; queries are the last positions of their keys, so a query segment is no longer than its
// key segment in the causal and prefix patterns. Output [Tq, heads * d]; rows outside of segments are 0; a query
// without keys gives 0. No score matrix is kept: the backward pass recomputes it from the log-sum-exp.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Segments& queries, const Segments& keys,
                 const AttentionOptions& options);
// Self-attention on a joined projection qkv [T, 3 * heads * d] (query, key, value side by side): one gradient tensor.
Tensor self_attention(const Tensor& qkv, const Segments& segments, const AttentionOptions& options);
// The same from plain ops, one sequence and head at a time.
Tensor attention_composed(const Tensor& q, const Tensor& k, const Tensor& v, const Segments& queries,
                          const Segments& keys, const AttentionOptions& options);

}  // namespace sesame
