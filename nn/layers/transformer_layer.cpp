#include "nn/layers/transformer_layer.h"

#include "autograd/ops/rows.h"

namespace sesame {

ResidualOutput::ResidualOutput(std::int64_t in, std::int64_t width, double dropout_p, double eps)
    : dense(in, width), layer_norm(width, eps), dropout(dropout_p) {
  register_module("dense", dense);
  register_module("LayerNorm", layer_norm);
  register_module("dropout", dropout);
}

Tensor ResidualOutput::forward(const Tensor& x, const Tensor& residual, const Tensor& row_keys) const {
  const Tensor h = dense.forward(x);  // [T, width]
  const Adapter* adapter = adapters != nullptr ? adapters->active() : nullptr;
  if (adapter == nullptr) return layer_norm.forward(h, residual, dropout.next(), row_keys);
  return adapted(*adapter, dropout.forward(h, row_keys), residual);
}

Tensor ResidualOutput::adapted(const Adapter& adapter, const Tensor& h, const Tensor& residual) const {
  const Tensor input = adapter.after_norm() ? layer_norm.forward(h, residual, {}, {}) : h;
  return layer_norm.forward(adapter.forward(input, h), residual, {}, {});
}

Adapter& ResidualOutput::add_adapter(const std::string& name, const AdapterOptions& options) {
  if (adapters == nullptr) {
    adapters = std::make_unique<AdapterPoint>();
    adapters->train(training());
    register_module("adapters", *adapters);
  }
  Adapter& adapter = adapters->add(name, options);
  adapter.to(dense.weight.options());
  return adapter;
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

Tensor AttentionBlock::forward(const Tensor& x, const CacheStep& step, Tensor& cache) const {
  return output.forward(self.forward(x, step, cache), x, step.queries.token_keys());
}

Tensor AttentionBlock::forward(const Tensor& x, const Tensor& keys_values, const Segments& queries,
                               const Segments& keys) const {
  return output.forward(self.forward(x, keys_values, queries, keys), x, queries.token_keys());
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

Tensor TransformerLayer::forward_first(const Tensor& x, const Segments& segments) const {
  const Segments queries = segments.first_only();
  const Tensor first = gather_rows(x, segments.first_rows());  // [n, width]
  const Tensor attended = attention.forward(first, attention.self.keys_values(x), queries, segments);
  return output.forward(intermediate.forward(attended), attended, queries.token_keys());
}

Tensor TransformerLayer::forward(const Tensor& x, const CacheStep& step, Tensor& cache) const {
  const Tensor attended = attention.forward(x, step, cache);  // [T, width]
  return output.forward(intermediate.forward(attended), attended, step.queries.token_keys());
}

}  // namespace sesame
