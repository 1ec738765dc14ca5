#include "models/bert/mlm_head.h"

#include "autograd/ops/matmul.h"
#include "nn/layers/activation.h"

namespace sesame {

BertPredictionTransform::BertPredictionTransform(const BertConfig& config)
    : dense(config.hidden_size, config.hidden_size, {.activation = parse_activation(config.hidden_act)}),
      layer_norm(config.hidden_size, config.layer_norm_eps) {
  register_module("dense", dense);
  register_module("LayerNorm", layer_norm);
}

BertMlmHead::BertMlmHead(const BertConfig& config)
    : transform(config), bias(Tensor::zeros({config.vocab_size})) {
  register_module("transform", transform);
  register_parameter("bias", bias);
}

Tensor BertMlmHead::forward(const Tensor& states, const Tensor& words) const {
  return linear(transform.forward(states), words, bias);
}

}  // namespace sesame
