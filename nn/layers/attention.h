// MultiHeadAttention: the three projections and the attention op (Vaswani et al. 2017, section 3.2.2),
// without the output projection, which belongs to the layer around it.
#pragma once

#include "autograd/ops/attention.h"
#include "autograd/segments.h"
#include "nn/layers/dropout.h"
#include "nn/layers/linear.h"
#include "nn/module.h"

namespace sesame {

struct MultiHeadAttentionOptions {
  std::int64_t width = 0;
  std::int64_t heads = 1;
  double dropout = 0;  // of the attention probabilities
};

class MultiHeadAttention : public Module {
 public:
  // Throws when width is not divisible by heads.
  explicit MultiHeadAttention(const MultiHeadAttentionOptions& options);

  // Self-attention: x [T, width] -> [T, width].
  Tensor forward(const Tensor& x, const Segments& segments,
                 AttentionPattern pattern = AttentionPattern::Bidirectional) const;
  // Cross-attention: queries from x [Tq, width], keys and values from memory [Tk, width].
  Tensor forward(const Tensor& x, const Tensor& memory, const Segments& queries, const Segments& keys) const;

  // Three parameters each with their own name and gradient, but side by side in one storage: one GEMM serves
  // them.
  Linear query, key, value;
  Dropout dropout;

 private:
  AttentionOptions options(AttentionPattern pattern) const;
  std::int64_t heads_;
};

}  // namespace sesame
