// BertPooler: tanh(dense(first token)), what BERT's sentence classifiers read.
#pragma once

#include "autograd/segments.h"
#include "nn/layers/linear.h"
#include "nn/module.h"

namespace sesame {

class BertPooler : public Module {
 public:
  explicit BertPooler(std::int64_t width);
  // x [T, H] -> [n, H], one row per sequence. Throws Error for an empty sequence.
  Tensor forward(const Tensor& x, const Segments& segments) const;

  Linear dense;
};

}  // namespace sesame
