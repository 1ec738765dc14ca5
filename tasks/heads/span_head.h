// Where in the input the answer begins and ends: two classifiers over the positions of each sequence.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "autograd/segments.h"
#include "models/features.h"
#include "nn/layers/linear.h"
#include "nn/layers/mlp.h"
#include "nn/module.h"

namespace sesame {

struct SpanHeadOptions {
  std::int64_t width = 0;  // of the encoder
  bool mlp = false;        // start and end each: width -> width -> 1 with GELU between, instead of linear
  double dropout = 0.1;    // within the MLPs
  FeatureOptions features = {};
  std::int64_t layers = 0;  // of the encoder
};

// Positions counted from the beginning of each sequence, [n]; (0, 0) is [CLS]: no answer in it.
struct SpanTargets {
  std::vector<std::int64_t> starts, ends;
};

class SpanHead : public Module {
 public:
  explicit SpanHead(const SpanHeadOptions& options);

  // Features in: [T, width of the features] -> logits [T, 2], the start's and the end's.
  Tensor forward(const Tensor& states, const Segments& segments) const;
  // Loss out: for each sequence (CE of the start + CE of the end) / 2, where the classes are all its
  // positions, question and [CLS] included (as in Hugging Face's BertForQuestionAnswering); summed and
  // divided by `normalizer`.
  Tensor loss(const Tensor& logits, const SpanTargets& targets, const Segments& segments,
              double normalizer) const;

  // Whether this is BertForQuestionAnswering: the model around it then registers `linear` itself, so that it
  // is stored as `qa_outputs.*`; otherwise everything lies under `head.*`.
  bool is_standard() const { return linear != nullptr && !features.needs_hidden(); }

  Features features;
  std::unique_ptr<Linear> linear;   // [2, width], or
  std::unique_ptr<Mlp> start, end;  // these two
};

}  // namespace sesame
