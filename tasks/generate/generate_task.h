// Training to write a text out of one text or several.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/generate/writer.h"
#include "tasks/train/feature_cache.h"
#include "tasks/train/task.h"

namespace sesame {

struct GenerateTaskOptions {
  double label_smoothing = 0;
  DecodingOptions decoding;         // of evaluate()
  std::int64_t eval_tokens = 4096;  // source tokens in a batch of the evaluation
  std::int64_t cache_mb = 0;        // for the states of the sources that a frozen encoder gives
  Device device = {};
};

class GenerateTask : public Task {
 public:
  // `writer.model` is `model`. `dev` may have no examples.
  GenerateTask(SequenceModel& model, Writer writer, Dataset train, Dataset dev, GenerateTaskOptions options);

  Module& model() override { return model_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(train_.examples.size()); }
  // Source and target tokens, the end token included.
  std::int64_t train_length(std::int64_t i) const override;
  // Target tokens, the end tokens included.
  double loss_terms(std::span<const std::int64_t> examples) const override;
  LossPart loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) override;
  // Scores of the decoded outputs, and `loss`: the mean over all target tokens, without label smoothing.
  Metrics evaluate() override;
  std::int64_t dev_size() const override { return static_cast<std::int64_t>(dev_.examples.size()); }
  std::vector<std::string> metric_names() const override;
  std::string main_metric() const override { return "bleu"; }

  std::string show(std::int64_t i) const override;
  void describe(Report& report) const override;
  std::vector<double> layer_weights() const override { return model_.features.layer_weights(); }
  std::string task_json() const override { return writer_.file.to_json(); }
  // surface.json and, with a vocabulary of the target's own, target_tokenizer/.
  void write_files(const std::string& out) const override;

 private:
  const Example& train_example(std::int64_t i) const {
    return train_.examples.at(static_cast<std::size_t>(i));
  }

  SequenceModel& model_;
  Writer writer_;
  Dataset train_, dev_;
  GenerateTaskOptions options_;
  mutable std::vector<std::int32_t> source_lengths_, target_lengths_;  // 0 where not asked for yet
  std::unique_ptr<FeatureCache> cache_;  // of the training sources, with a frozen encoder
  std::vector<WrittenText> dev_texts_;   // of the last evaluation
};

// Teacher-forced cross-entropy of a data set's first targets, mean over tokens and end tokens.
// Tokens at a time: each has a row of logits.
double token_loss(const Writer& writer, const Dataset& data, std::int64_t batch_tokens = 1024);

}  // namespace sesame
