#include "models/decoder/transformer_decoder.h"

#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"

namespace sesame {

DecoderEmbeddings::DecoderEmbeddings(const DecoderConfig& config)
    : word_embeddings(config.vocab_size, config.layer.width),
      position_embeddings(config.positions, config.layer.width),
      layer_norm(config.layer.width, config.layer.layer_norm_eps),
      dropout(config.layer.dropout) {
  register_module("word_embeddings", word_embeddings);
  register_module("position_embeddings", position_embeddings);
  register_module("LayerNorm", layer_norm);
  register_module("dropout", dropout);
}

Tensor DecoderEmbeddings::forward(const Tensor& ids, const Tensor& position_ids,
                                  const Tensor& row_keys) const {
  const Tensor words = word_embeddings.forward(ids);                   // [T, H]
  const Tensor positions = position_embeddings.forward(position_ids);  // [T, H]
  return dropout.forward(layer_norm.forward(words + positions), row_keys);
}

TransformerDecoder::TransformerDecoder(const DecoderConfig& config)
    : embeddings(config), bias(Tensor::zeros({config.vocab_size})) {
  register_module("embeddings", embeddings);
  for (std::int64_t i = 0; i < config.layers; ++i) layer.emplace_back(config.layer);
  register_module("layer", layer);
  register_parameter("bias", bias);
}

Tensor TransformerDecoder::forward(const Tensor& x, const Segments& segments, const Tensor& memory,
                                   const Segments& sources) const {
  Tensor state = x;  // [T, H]
  for (std::size_t i = 0; i < layer.size(); ++i) {
    state = layer[i].forward(state, segments, layer[i].keys_values(memory), sources);
  }
  return state;
}

Tensor TransformerDecoder::predict(const Tensor& states) const {
  return linear(states, embeddings.word_embeddings.weight, bias);
}

}  // namespace sesame
