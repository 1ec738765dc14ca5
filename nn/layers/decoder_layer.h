// One layer of a transformer decoder, normalised after each part as BERT's (Vaswani et al. 2017, figure 1,
// right):
//   a = LayerNorm(x + dropout(dense(self-attention(x))))
//   c = LayerNorm(a + dropout(dense(attention(a, source))))
//   y = LayerNorm(c + dropout(dense(activation(dense(c)))))
// The submodules carry the names of Hugging Face's BertLayer with add_cross_attention.
#pragma once

#include "nn/layers/transformer_layer.h"

namespace sesame {

class DecoderLayer : public Module {
 public:
  explicit DecoderLayer(const TransformerLayerOptions& options);

  // x [T, width] in `segments`, causal; source: keys_values() [S, 2 width] in `sources`, as many segments
  // -> [T, width].
  Tensor forward(const Tensor& x, const Segments& segments, const Tensor& source,
                 const Segments& sources) const;
  // New rows with kept keys and values, for decoding.
  Tensor forward(const Tensor& x, const CacheStep& step, Tensor& cache, const Tensor& source,
                 const Segments& sources) const;
  // Keys and values of the encoder's states [S, width]: [S, 2 width].
  Tensor keys_values(const Tensor& states) const { return crossattention.self.keys_values(states); }

  AttentionBlock attention, crossattention;
  FeedForward intermediate;
  ResidualOutput output;

 private:
  Tensor finish(const Tensor& x, const Segments& segments, const Tensor& source,
                const Segments& sources) const;
};

}  // namespace sesame
