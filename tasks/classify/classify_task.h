// Training for one class (several labels, a number) out of one text or several.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/tokenizer/tokenizer.h"
#include "tasks/classify/classify_model.h"
#include "tasks/classify/task_file.h"
#include "tasks/data/labels.h"
#include "tasks/report/report.h"
#include "tasks/train/feature_cache.h"
#include "tasks/train/task.h"

namespace sesame {

struct ClassifyTaskOptions {
  EncodeOptions encode;
  double label_smoothing = 0;
  std::vector<std::string> metrics;  // the preset's own; the first one picks the best checkpoint
  std::int64_t eval_tokens = 4096;   // tokens in a batch of the evaluation
  std::int64_t cache_mb = 0;         // for what a frozen trunk says about each example
  Device device = {};
};

// What the model says about each row of a data set.
struct ClassifyOutputs {
  std::vector<float> logits;       // [n * outputs]
  std::vector<float> predictions;  // [n * outputs]: probabilities, or the number itself
};

class ClassifyTask : public Task {
 public:
  // `dev` may have no examples. Labels of both sets are looked up now: an unknown one is an Error at its
  // line.
  ClassifyTask(ClassifyModel& model, const Tokenizer& tokenizer, Dataset train, Dataset dev,
               ClassifyTaskFile file, ClassifyTaskOptions options);

  Module& model() override { return model_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(train_.examples.size()); }
  std::int64_t train_length(std::int64_t i) const override;
  double loss_terms(std::span<const std::int64_t> examples) const override;
  LossPart loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) override;
  Metrics evaluate() override;
  std::int64_t dev_size() const override { return static_cast<std::int64_t>(dev_.examples.size()); }
  std::vector<std::string> metric_names() const override;
  std::string main_metric() const override;

  std::string show(std::int64_t i) const override;
  // Confusion matrix or scatter, telling mistakes and data summaries.
  void describe(Report& report) const override;
  std::vector<double> layer_weights() const override { return model_.head.features.layer_weights(); }
  std::string task_json() const override { return file_.to_json(); }

 private:
  // Training example i as the model reads it.
  TokenSequence train_input(std::int64_t i, std::int64_t example_in_update) const;
  ClassifyTargets targets(std::span<const std::int64_t> rows) const;

  ClassifyModel& model_;
  Tokenizer tokenizer_;
  Dataset train_, dev_;
  ClassifyTaskFile file_;
  LabelMap labels_;
  ClassifyTaskOptions options_;
  std::vector<std::int64_t> train_classes_;
  std::vector<float> train_values_;
  mutable std::vector<std::int32_t> lengths_;  // of training examples, 0 where not asked for yet
  std::unique_ptr<FeatureCache> cache_;        // with a frozen trunk
  ClassifyOutputs dev_outputs_;
};

// Runs the model in evaluation mode over examples, in order, batched by tokens. With a cache the examples are
// its development set.
ClassifyOutputs classify_all(const ClassifyModel& model, const Tokenizer& tokenizer,
                             const std::vector<Example>& examples, const ClassifyTaskOptions& options,
                             FeatureCache* cache = nullptr);

// The label of the highest score; of a multi-label model all above one half, joined by '|'.
std::string predicted_label(std::span<const float> scores, const LabelMap& labels, Problem problem);

// Official scores of predictions against the data's labels.
Metrics score_classification(const Dataset& data, const LabelMap& labels, Problem problem,
                             const std::vector<float>& predictions);

}  // namespace sesame
