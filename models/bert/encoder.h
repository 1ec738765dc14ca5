// BertEncoder: the stack of transformer layers.
#pragma once

#include <vector>

#include "autograd/segments.h"
#include "models/bert/config.h"
#include "nn/layers/transformer_layer.h"
#include "nn/module.h"

namespace sesame {

class BertEncoder : public Module {
 public:
  explicit BertEncoder(const BertConfig& config);
  // x [T, H] -> [T, H]. The output of every layer is appended to `hidden` unless it is null.
  Tensor forward(const Tensor& x, const Segments& segments, AttentionPattern pattern,
                 std::vector<Tensor>* hidden) const;
  // The first row of each sequence alone, [n, H]: the last layer computes no other.
  Tensor forward_first(const Tensor& x, const Segments& segments) const;

  ModuleList<TransformerLayer> layer;
};

}  // namespace sesame
