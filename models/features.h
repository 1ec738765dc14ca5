// Features: what a head reads from the trunk. The last layer; a learned mix of all layers, as in ELMo; or the
// last K layers side by side.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/bert/bert.h"
#include "nn/module.h"

namespace sesame {

enum class FeatureKind { Last, Mix, Concat };

struct FeatureOptions {
  FeatureKind kind = FeatureKind::Last;
  std::int64_t count = 4;  // of Concat: how many layers
  bool normalise = false;  // of Mix and Concat: each row of each layer to mean 0 and variance 1 first
};

// "last", "mix", "concat:K"; throws Error otherwise.
FeatureOptions parse_features(const std::string& text, bool normalise = false);
std::string features_text(const FeatureOptions& options);

// Mix (Peters et al. 2018, eq. 1): gamma * sum_j softmax(weights)_j h_j over the embeddings (j = 0) and all
// layers; weights [layers + 1] start at 0 (the mean of all), gamma [1] at 1. Normalising is LayerNorm without
// learned scale and shift, by row, so that a row does not depend on its batch.
class Features : public Module {
 public:
  // Throws Error for a concatenation of more than layers + 1 states.
  Features(const FeatureOptions& options, std::int64_t layers, std::int64_t width);

  // States [T, width()].
  Tensor forward(const BertOutput& output) const;
  // The same from the states of all layers, embeddings first, [R, H] each: any rows, e.g. cached ones.
  Tensor forward(const std::vector<Tensor>& hidden) const;
  // Whether BertForward::all_hidden must be asked for.
  bool needs_hidden() const { return options_.kind != FeatureKind::Last; }
  // Whether the mean of rows may be taken before the features just as well as after: a pooled cache suffices.
  bool linear() const { return !needs_hidden() || !options_.normalise; }
  std::int64_t width() const {
    return options_.kind == FeatureKind::Concat ? options_.count * width_ : width_;
  }
  const FeatureOptions& options() const { return options_; }
  // Of Mix: softmax(weights), embeddings first; else empty.
  std::vector<double> layer_weights() const;

  Tensor weights, gamma;  // undefined unless Mix

 private:
  Tensor mix(const std::vector<Tensor>& hidden) const;

  FeatureOptions options_;
  std::int64_t layers_, width_;
};

}  // namespace sesame
