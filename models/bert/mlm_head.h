// The output layer of masked language modelling (Devlin et al. 2019, section 3.1; Hugging Face's
// BertLMPredictionHead):
//   logits = LayerNorm(activation(dense(x))) E^T + bias,  E the word embeddings of the encoder.
// Parameters: predictions.transform.dense, predictions.transform.LayerNorm, predictions.bias. The tied
// decoder.weight and decoder.bias of Hugging Face are other names of E and bias; loading knows them.
#pragma once

#include "models/bert/config.h"
#include "nn/layers/layer_norm.h"
#include "nn/layers/linear.h"
#include "nn/module.h"

namespace sesame {

struct BertPredictionTransform : Module {
  explicit BertPredictionTransform(const BertConfig& config);
  Tensor forward(const Tensor& x) const {
    return layer_norm.forward(dense.forward(x));
  }  // [rows, H] -> [rows, H]

  Linear dense;
  LayerNorm layer_norm;  // "LayerNorm" in files
};

class BertMlmHead : public Module {
 public:
  explicit BertMlmHead(const BertConfig& config);
  // states [rows, H], words [V, H] (the encoder's word embeddings) -> logits [rows, V].
  Tensor forward(const Tensor& states, const Tensor& words) const;

  BertPredictionTransform transform;
  Tensor bias;  // [V]
};

// What lies under "cls" in the files.
struct BertMlmModule : Module {
  explicit BertMlmModule(const BertConfig& config) : predictions(config) {
    register_module("predictions", predictions);
  }
  BertMlmHead predictions;
};

}  // namespace sesame
