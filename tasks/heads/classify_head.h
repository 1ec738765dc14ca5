// One class (or several, or a number) for each sequence: a pooled vector through dropout and a classifier.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/features.h"
#include "nn/layers/dropout.h"
#include "nn/layers/linear.h"
#include "nn/layers/mlp.h"
#include "nn/module.h"
#include "tasks/heads/pooling.h"

namespace sesame {

// What the classifier's outputs mean, and with them the loss: softmax cross-entropy, binary cross-entropy for
// each label, or squared error.
enum class Problem { OneClass, MultiLabel, Regression };

struct ClassifyHeadOptions {
  Problem problem = Problem::OneClass;
  std::int64_t width = 0;    // of the encoder
  std::int64_t outputs = 2;  // classes, labels, or 1
  Pooling pooling = Pooling::Cls;
  bool mlp = false;  // width -> width -> outputs with GELU between, instead of one linear layer
  double dropout = 0.1;
  FeatureOptions features = {};
  std::int64_t layers = 0;  // of the encoder
};

// Targets of a batch: class numbers [n], label indicators [n, outputs], or numbers [n].
struct ClassifyTargets {
  std::vector<std::int64_t> classes;
  std::vector<float> values;
};

class ClassifyHead : public Module {
 public:
  explicit ClassifyHead(const ClassifyHeadOptions& options);

  // Features in: pooled rows [n, width of the features] to logits [n, outputs].
  Tensor forward(const Tensor& pooled, const Segments& segments) const;
  // Loss out: summed over the batch and divided by `normalizer`.
  Tensor loss(const Tensor& logits, const ClassifyTargets& targets, double normalizer,
              double label_smoothing) const;
  // Predictions out: probabilities (or the number itself), [n * outputs], row by row.
  std::vector<float> predictions(const Tensor& logits) const;

  // Whether this is Hugging Face's BertForSequenceClassification: the model around it then registers
  // `dropout` and `linear` itself, so that the classifier is stored as `classifier.*`; otherwise everything
  // lies under `head.*`.
  bool is_standard() const {
    return options_.pooling == Pooling::Cls && !options_.mlp && !features.needs_hidden();
  }
  bool needs_pooler() const {
    return options_.pooling == Pooling::Cls && options_.features.kind != FeatureKind::Concat;
  }
  const ClassifyHeadOptions& options() const { return options_; }
  // Terms of the loss for `examples` rows (the loss is a mean over rows, for several labels over rows and
  // labels).
  double loss_terms(std::size_t examples) const;

  Features features;
  Dropout dropout;
  std::unique_ptr<Linear> linear;  // one of these two
  std::unique_ptr<Mlp> mlp;
  std::unique_ptr<AttentionPool> attention;  // Pooling::Attention

 private:
  ClassifyHeadOptions options_;
};

}  // namespace sesame
