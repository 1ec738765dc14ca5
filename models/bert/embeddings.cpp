#include "models/bert/embeddings.h"

#include "autograd/ops/pointwise.h"

namespace sesame {

BertEmbeddings::BertEmbeddings(const BertConfig& config)
    : word_embeddings(config.vocab_size, config.hidden_size),
      position_embeddings(config.max_position_embeddings, config.hidden_size),
      token_type_embeddings(config.type_vocab_size, config.hidden_size),
      layer_norm(config.hidden_size, config.layer_norm_eps),
      dropout(config.hidden_dropout_prob) {
  register_module("word_embeddings", word_embeddings);
  register_module("position_embeddings", position_embeddings);
  register_module("token_type_embeddings", token_type_embeddings);
  register_module("LayerNorm", layer_norm);
  register_module("dropout", dropout);
}

Tensor BertEmbeddings::forward(const PackedBatch& batch) const {
  const Tensor words = word_embeddings.forward(batch.ids);                   // [T, H]
  const Tensor positions = position_embeddings.forward(batch.position_ids);  // [T, H]
  const Tensor types = token_type_embeddings.forward(batch.type_ids);        // [T, H]
  return dropout.forward(layer_norm.forward(words + types + positions), batch.segments.token_keys());
}

}  // namespace sesame
