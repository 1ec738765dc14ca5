// BertEmbeddings: token, position and type vectors added up, normalised, dropped out (Devlin et al. 2019,
// figure 2).
#pragma once

#include "models/bert/config.h"
#include "models/bert/packed_batch.h"
#include "nn/layers/dropout.h"
#include "nn/layers/embedding.h"
#include "nn/layers/layer_norm.h"
#include "nn/module.h"

namespace sesame {

class BertEmbeddings : public Module {
 public:
  explicit BertEmbeddings(const BertConfig& config);
  // -> [T, H].
  Tensor forward(const PackedBatch& batch) const;

  Embedding word_embeddings;        // [vocabulary, H]
  Embedding position_embeddings;    // [positions, H]
  Embedding token_type_embeddings;  // [types, H]
  LayerNorm layer_norm;             // "LayerNorm" in files
  Dropout dropout;
};

}  // namespace sesame
