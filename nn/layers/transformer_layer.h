// One layer of a transformer encoder, normalised after each half as in BERT (Vaswani et al. 2017,
// section 3.1):
//   a = LayerNorm(x + dropout(dense(attention(x))))
//   y = LayerNorm(a + dropout(dense(activation(dense(a)))))
// The submodules carry the names of Hugging Face's BertLayer.
#pragma once

#include "nn/layers/attention.h"
#include "nn/layers/dropout.h"
#include "nn/layers/layer_norm.h"
#include "nn/layers/linear.h"
#include "nn/module.h"

namespace sesame {

struct TransformerLayerOptions {
  std::int64_t width = 0;
  std::int64_t heads = 1;
  std::int64_t inner_width = 0;  // of the feed-forward part
  Activation activation = Activation::Gelu;
  double dropout = 0.1;
  double attention_dropout = 0.1;
  double layer_norm_eps = 1e-12;
};

// LayerNorm(residual + dropout(dense(x))): how both halves end.
class ResidualOutput : public Module {
 public:
  ResidualOutput(std::int64_t in, std::int64_t width, double dropout, double eps);
  // x [T, in], residual [T, width] -> [T, width]; row_keys [T] for dropout.
  Tensor forward(const Tensor& x, const Tensor& residual, const Tensor& row_keys) const;

  Linear dense;
  LayerNorm layer_norm;  // "LayerNorm" in files
  Dropout dropout;
};

class AttentionBlock : public Module {
 public:
  explicit AttentionBlock(const TransformerLayerOptions& options);
  Tensor forward(const Tensor& x, const Segments& segments, AttentionPattern pattern) const;

  MultiHeadAttention self;
  ResidualOutput output;
};

class FeedForward : public Module {
 public:
  explicit FeedForward(const TransformerLayerOptions& options);
  // [T, width] -> [T, inner_width].
  Tensor forward(const Tensor& x) const { return dense.forward(x); }

  Linear dense;
};

class TransformerLayer : public Module {
 public:
  explicit TransformerLayer(const TransformerLayerOptions& options);
  // x [T, width] -> [T, width].
  Tensor forward(const Tensor& x, const Segments& segments,
                 AttentionPattern pattern = AttentionPattern::Bidirectional) const;

  AttentionBlock attention;
  FeedForward intermediate;
  ResidualOutput output;
};

}  // namespace sesame
