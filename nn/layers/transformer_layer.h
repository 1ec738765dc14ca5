// One layer of a transformer encoder, normalised after each half as in BERT (Vaswani et al. 2017,
// section 3.1):
//   a = LayerNorm(x + dropout(dense(attention(x))))
//   y = LayerNorm(a + dropout(dense(activation(dense(a)))))
// The submodules carry the names of Hugging Face's BertLayer.
#pragma once

#include "nn/layers/adapter.h"
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

// How both halves end. With h = dropout(dense(x)):
//   y = LayerNorm(residual + h)                                              without an adapter
//   y = LayerNorm(residual + h + bottleneck(h))                              Houlsby et al. 2019
//   y = LayerNorm(residual + h + bottleneck(LayerNorm(residual + h)))        Pfeiffer et al. 2021
// where LayerNorm is one and the same layer in the last formula, as AdapterHub computes it.
class ResidualOutput : public Module {
 public:
  ResidualOutput(std::int64_t in, std::int64_t width, double dropout, double eps);
  // x [T, in], residual [T, width] -> [T, width]; row_keys [T] for dropout.
  Tensor forward(const Tensor& x, const Tensor& residual, const Tensor& row_keys) const;
  // A new adapter, in the type and on the device of `dense`; it takes part once it is active.
  Adapter& add_adapter(const std::string& name, const AdapterOptions& options);

  Linear dense;
  LayerNorm layer_norm;  // "LayerNorm" in files
  Dropout dropout;
  std::unique_ptr<AdapterPoint> adapters;  // null while there are none

 private:
  Tensor adapted(const Adapter& adapter, const Tensor& h, const Tensor& residual) const;
};

class AttentionBlock : public Module {
 public:
  explicit AttentionBlock(const TransformerLayerOptions& options);
  Tensor forward(const Tensor& x, const Segments& segments, AttentionPattern pattern) const;
  // New rows with kept keys and values, and attention to others' (nn/layers/attention.h).
  Tensor forward(const Tensor& x, const CacheStep& step, Tensor& cache) const;
  Tensor forward(const Tensor& x, const Tensor& keys_values, const Segments& queries,
                 const Segments& keys) const;

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
  // The same for the first row of each segment alone, x [T, width] -> [n, width]: the other rows of x serve
  // as keys and values only.
  Tensor forward_first(const Tensor& x, const Segments& segments) const;
  // New rows with kept keys and values, for decoding.
  Tensor forward(const Tensor& x, const CacheStep& step, Tensor& cache) const;

  AttentionBlock attention;
  FeedForward intermediate;
  ResidualOutput output;
};

}  // namespace sesame
