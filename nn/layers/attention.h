// MultiHeadAttention: the three projections and the attention op (Vaswani et al. 2017, section 3.2.2),
// without the output projection, which belongs to the layer around it.
#pragma once

#include "autograd/ops/attention.h"
#include "autograd/segments.h"
#include "nn/layers/dropout.h"
#include "nn/layers/low_rank.h"
#include "nn/module.h"

namespace sesame {

struct MultiHeadAttentionOptions {
  std::int64_t width = 0;
  std::int64_t heads = 1;
  double dropout = 0;  // of the attention probabilities
};

// One step of decoding with kept keys and values: new rows join a cache [capacity, 2 width], key and value
// side by side, and attend to what their sequence has there.
struct CacheStep {
  Segments queries;  // the new rows of each sequence
  Segments keys;     // its rows in the cache, the new ones last
  Tensor rows;       // [T] int64: where in the cache the keys and values of each new row go
  AttentionPattern pattern = AttentionPattern::Causal;
};

class MultiHeadAttention : public Module {
 public:
  // Throws when width is not divisible by heads.
  explicit MultiHeadAttention(const MultiHeadAttentionOptions& options);

  // Self-attention: x [T, width] -> [T, width].
  Tensor forward(const Tensor& x, const Segments& segments,
                 AttentionPattern pattern = AttentionPattern::Bidirectional) const;
  // Self-attention of new rows x [T, width]; their keys and values are written into `cache`. Without
  // gradients.
  Tensor forward(const Tensor& x, const CacheStep& step, Tensor& cache) const;
  // Cross-attention: queries from x [Tq, width], keys and values from keys_values() of other states.
  Tensor forward(const Tensor& x, const Tensor& keys_values, const Segments& queries,
                 const Segments& keys) const;
  // Keys and values of states [Tk, width], side by side: [Tk, 2 width].
  Tensor keys_values(const Tensor& states) const;
  std::int64_t heads() const { return heads_; }

  // Three parameters each with their own name and gradient, but side by side in one storage: one GEMM serves
  // them. Query and value may carry low-rank updates (LoRA).
  LowRankLinear query, key, value;
  Dropout dropout;

 private:
  AttentionOptions options(AttentionPattern pattern) const;
  Tensor queries_keys_values(const Tensor& x) const;
  std::int64_t heads_;
};

}  // namespace sesame
