// Training for one class (several labels, a number) out of one text or several.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/classify/classify_model.h"
#include "tasks/data/labels.h"
#include "tasks/report/report.h"
#include "tasks/train/task.h"

namespace sesame {

struct ClassifyTaskOptions {
  EncodeOptions encode;
  double label_smoothing = 0;
  std::vector<std::string> metrics;  // the preset's own; the first one picks the best checkpoint
  std::int64_t eval_tokens = 4096;   // tokens in a batch of the evaluation
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
  ClassifyTask(ClassifyModel& model, const Tokenizer& tokenizer, Dataset train, Dataset dev, LabelMap labels,
               ClassifyTaskOptions options);

  Module& model() override { return model_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(train_.examples.size()); }
  std::int64_t train_length(std::int64_t i) const override;
  double loss_terms(std::span<const std::int64_t> examples) const override;
  LossPart loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) override;
  Metrics evaluate() override;
  bool has_dev() const override { return !dev_.examples.empty(); }
  std::vector<std::string> metric_names() const override;
  std::string main_metric() const override;

  // Confusion matrix or scatter, telling mistakes and data summaries of the last evaluation.
  void describe(Report& report) const;
  const Dataset& train() const { return train_; }
  const Dataset& dev() const { return dev_; }
  // Training example i as the model reads it.
  TokenSequence train_input(std::int64_t i, std::int64_t example_in_update) const;

 private:
  ClassifyTargets targets(std::span<const std::int64_t> rows) const;

  ClassifyModel& model_;
  Tokenizer tokenizer_;
  Dataset train_, dev_;
  LabelMap labels_;
  ClassifyTaskOptions options_;
  std::vector<std::int64_t> train_classes_;
  std::vector<float> train_values_;
  mutable std::vector<std::int32_t> lengths_;  // of training examples, 0 where not asked for yet
  ClassifyOutputs dev_outputs_;
};

// Runs the model in evaluation mode over examples, in order, batched by tokens.
ClassifyOutputs classify_all(const ClassifyModel& model, const Tokenizer& tokenizer,
                             const std::vector<Example>& examples, const ClassifyTaskOptions& options);

// The label of the highest score; of a multi-label model all above one half, joined by '|'.
std::string predicted_label(std::span<const float> scores, const LabelMap& labels, Problem problem);

// Official scores of predictions against the data's labels.
Metrics score_classification(const Dataset& data, const LabelMap& labels, Problem problem,
                             const std::vector<float>& predictions);

}  // namespace sesame
