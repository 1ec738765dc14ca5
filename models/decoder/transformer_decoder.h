// TransformerDecoder: embeddings, layers with causal self-attention and attention to an encoder's states, and
// a tied output layer: logits = states E^T + bias, E the word embeddings (Vaswani et al. 2017; Press & Wolf
// 2017 for tying). Parameters are named as in Hugging Face's BertModel with is_decoder and
// add_cross_attention, without the type embeddings: embeddings.word_embeddings,
// embeddings.position_embeddings, embeddings.LayerNorm, layer.<i>.attention, layer.<i>.crossattention,
// layer.<i>.intermediate, layer.<i>.output; and bias.
#pragma once

#include <vector>

#include "autograd/segments.h"
#include "nn/layers/decoder_layer.h"
#include "nn/layers/embedding.h"
#include "nn/module.h"

namespace sesame {

struct DecoderConfig {
  std::int64_t vocab_size = 0;
  std::int64_t positions = 0;
  std::int64_t layers = 0;
  TransformerLayerOptions layer;
};

class DecoderEmbeddings : public Module {
 public:
  explicit DecoderEmbeddings(const DecoderConfig& config);
  // ids, position_ids [T] int64 -> [T, H]; row_keys [T] for dropout.
  Tensor forward(const Tensor& ids, const Tensor& position_ids, const Tensor& row_keys) const;

  Embedding word_embeddings;      // [V, H]
  Embedding position_embeddings;  // [positions, H]
  LayerNorm layer_norm;           // "LayerNorm" in files
  Dropout dropout;
};

class TransformerDecoder : public Module {
 public:
  explicit TransformerDecoder(const DecoderConfig& config);

  // All positions at once, for training: x [T, H] embedded tokens in `segments`, memory [S, H] states of the
  // encoder in `sources`, as many segments -> [T, H].
  Tensor forward(const Tensor& x, const Segments& segments, const Tensor& memory,
                 const Segments& sources) const;

  // Logits [rows, V] of states [rows, H].
  Tensor predict(const Tensor& states) const;

  DecoderEmbeddings embeddings;
  ModuleList<DecoderLayer> layer;
  Tensor bias;  // [V]
};

}  // namespace sesame
