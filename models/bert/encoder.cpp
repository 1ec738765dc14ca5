#include "models/bert/encoder.h"

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
  Tensor state = x;  // [T, H]
  for (std::size_t i = 0; i < layer.size(); ++i) {
    state = layer[i].forward(state, segments, pattern);
    if (hidden != nullptr) hidden->push_back(state);
  }
  return state;
}

}  // namespace sesame
