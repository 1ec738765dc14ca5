#include "models/bert/encoder.h"

#include "autograd/precision.h"
#include "nn/layers/activation.h"

namespace sesame {

BertEncoder::BertEncoder(const BertConfig& config) {
  const TransformerLayerOptions options{.width = config.hidden_size,
                                        .heads = config.num_attention_heads,
                                        .inner_width = config.intermediate_size,
                                        .activation = parse_activation(config.hidden_act),
                                        .dropout = config.hidden_dropout_prob,
                                        .attention_dropout = config.attention_probs_dropout_prob,
                                        .layer_norm_eps = config.layer_norm_eps};
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) layer.emplace_back(options);
  register_module("layer", layer);
}

Tensor BertEncoder::forward(const Tensor& x, const Segments& segments, AttentionPattern pattern,
                            std::vector<Tensor>* hidden) const {
  Tensor state = to_compute(x);  // [T, H]
  for (std::size_t i = 0; i < layer.size(); ++i) {
    state = layer[i].forward(state, segments, pattern);
    if (hidden != nullptr) hidden->push_back(from_compute(state));
  }
  return from_compute(state);
}

// Of the last layer only the keys and values are left for all rows: MiniLM at 8 x 128 takes 78 ms instead of
// 91 forward and 289 instead of 310 in a training step (AVX-512, 2 threads).
Tensor BertEncoder::forward_first(const Tensor& x, const Segments& segments) const {
  Tensor state = to_compute(x);  // [T, H]
  for (std::size_t i = 0; i + 1 < layer.size(); ++i) {
    state = layer[i].forward(state, segments, AttentionPattern::Bidirectional);
  }
  return from_compute(layer[layer.size() - 1].forward_first(state, segments));
}

}  // namespace sesame
