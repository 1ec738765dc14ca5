// Training to copy the answer from the input.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/extract/answering.h"
#include "tasks/train/feature_cache.h"
#include "tasks/train/task.h"

namespace sesame {

// The trainer's unit is a question with all its windows; the loss is a mean over windows.
class ExtractTask : public Task {
 public:
  // `dev` may have no examples. Throws Error for a question that is too long for the windows.
  ExtractTask(ExtractModel& model, const Tokenizer& tokenizer, QuestionSet train, QuestionSet dev,
              const ExtractTaskFile& file, const AnswerOptions& options, std::int64_t cache_mb = 0);

  Module& model() override { return model_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(train_.examples.size()); }
  std::int64_t train_length(std::int64_t i) const override;  // tokens of all its windows
  double loss_terms(std::span<const std::int64_t> examples) const override;
  LossPart loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) override;
  // Where some questions have no answer, also sets the threshold to the best one on the development set.
  Metrics evaluate() override;
  std::int64_t dev_size() const override { return static_cast<std::int64_t>(dev_.examples.size()); }
  std::vector<std::string> metric_names() const override;
  std::string main_metric() const override { return "f1"; }

  std::string show(std::int64_t i) const override;
  void describe(Report& report) const override;
  std::vector<double> layer_weights() const override { return model_.head.features.layer_weights(); }
  std::string task_json() const override { return file_.to_json(); }

 private:
  const std::vector<Window>& train_windows(std::int64_t i) const;

  ExtractModel& model_;
  Tokenizer tokenizer_;
  QuestionSet train_, dev_;
  ExtractTaskFile file_;
  AnswerOptions options_;
  mutable std::vector<std::int32_t> lengths_;  // of training examples, 0 where not asked for yet
  // Windows of the update at hand: loss_terms() cuts them, loss() uses them up.
  mutable std::unordered_map<std::int64_t, std::vector<Window>> cut_;
  std::unique_ptr<FeatureCache> cache_;  // with a frozen trunk
  std::vector<Answered> dev_answers_;
};

}  // namespace sesame
