// A class for each word: the state of its first token through dropout and a classifier; with a CRF the tags
// of a sentence are scored together.
#pragma once

#include <cstdint>
#include <memory>

#include "autograd/segments.h"
#include "models/features.h"
#include "nn/layers/dropout.h"
#include "nn/layers/linear.h"
#include "nn/layers/mlp.h"
#include "nn/module.h"

namespace sesame {

struct TagHeadOptions {
  std::int64_t width = 0;    // of the encoder
  std::int64_t outputs = 2;  // tags
  bool mlp = false;          // width -> width -> outputs with GELU between, instead of one linear layer
  bool crf = false;
  double dropout = 0.1;
  FeatureOptions features = {};
  std::int64_t layers = 0;  // of the encoder
};

// Scores of a linear-chain CRF beside those of the words; see autograd/ops/crf.h.
struct Crf : Module {
  explicit Crf(std::int64_t tags);

  Tensor transitions;  // [K, K], from and to
  Tensor start, end;   // [K]
};

class TagHead : public Module {
 public:
  explicit TagHead(const TagHeadOptions& options);

  // Features in: those of the words [W, width of the features], keys [W] for dropout. Logits [W, K].
  Tensor forward(const Tensor& words, const Tensor& keys) const;
  // Loss out: summed over the words (the sentences, with a CRF) and divided by `normalizer`. targets [W]
  // int64, `sentences` are the sequences of the W rows.
  Tensor loss(const Tensor& logits, const Tensor& targets, const Segments& sentences, double normalizer,
              double label_smoothing) const;

  // The linear classifier is registered by the model around it, so that it is stored as `classifier.*` as in
  // Hugging Face's BertForTokenClassification; an MLP, what reads other features than the last layer, and
  // the CRF lie under `head.*`.
  bool is_standard() const { return !options_.mlp && !features.needs_hidden(); }
  const TagHeadOptions& options() const { return options_; }

  Features features;
  Dropout dropout;
  std::unique_ptr<Linear> linear;  // one of these two
  std::unique_ptr<Mlp> mlp;
  std::unique_ptr<Crf> crf;  // null without

 private:
  TagHeadOptions options_;
};

}  // namespace sesame
