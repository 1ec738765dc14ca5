#include "nn/layers/transformer_layer.h"

namespace sesame {

ResidualOutput::ResidualOutput(std::int64_t in, std::int64_t width, double dropout_p, double eps)
    : dense(in, width), layer_norm(width, eps), dropout(dropout_p) {
  register_module("dense", dense);
  register_module("LayerNorm", layer_norm);
  register_module("dropout", dropout);
}

Tensor ResidualOutput::forward(const Tensor& x, const Tensor& residual, const Tensor& row_keys) const {
  return layer_norm.forward(dense.forward(x), residual, dropout.next(), row_keys);
}

AttentionBlock::AttentionBlock(const TransformerLayerOptions& o)
    : self({.width = o.width, .heads = o.heads, .dropout = o.attention_dropout}),
      output(o.width, o.width, o.dropout, o.layer_norm_eps) {
  register_module("self", self);
  register_module("output", output);
}

Tensor AttentionBlock::forward(const Tensor& x, const Segments& segments, AttentionPattern pattern) const {
  return output.forward(self.forward(x, segments, pattern), x, segments.token_keys());
}

FeedForward::FeedForward(const TransformerLayerOptions& o)
    : dense(o.width, o.inner_width, {.activation = o.activation}) {
  register_module("dense", dense);
}

TransformerLayer::TransformerLayer(const TransformerLayerOptions& o)
    : attention(o), intermediate(o), output(o.inner_width, o.width, o.dropout, o.layer_norm_eps) {
  register_module("attention", attention);
  register_module("intermediate", intermediate);
  register_module("output", output);
}

Tensor TransformerLayer::forward(const Tensor& x, const Segments& segments, AttentionPattern pattern) const {
  const Tensor attended = attention.forward(x, segments, pattern);  // [T, width]
  return output.forward(intermediate.forward(attended), attended, segments.token_keys());
}

}  // namespace sesame
