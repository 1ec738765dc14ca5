#include "nn/layers/decoder_layer.h"

namespace sesame {

DecoderLayer::DecoderLayer(const TransformerLayerOptions& o)
    : attention(o),
      crossattention(o),
      intermediate(o),
      output(o.inner_width, o.width, o.dropout, o.layer_norm_eps) {
  register_module("attention", attention);
  register_module("crossattention", crossattention);
  register_module("intermediate", intermediate);
  register_module("output", output);
}

Tensor DecoderLayer::forward(const Tensor& x, const Segments& segments, const Tensor& source,
                             const Segments& sources) const {
  return finish(attention.forward(x, segments, AttentionPattern::Causal), segments, source, sources);
}

Tensor DecoderLayer::forward(const Tensor& x, const CacheStep& step, Tensor& cache, const Tensor& source,
                             const Segments& sources) const {
  return finish(attention.forward(x, step, cache), step.queries, source, sources);
}

Tensor DecoderLayer::finish(const Tensor& x, const Segments& segments, const Tensor& source,
                            const Segments& sources) const {
  const Tensor informed = crossattention.forward(x, source, segments, sources);  // [T, width]
  return output.forward(intermediate.forward(informed), informed, segments.token_keys());
}

}  // namespace sesame
