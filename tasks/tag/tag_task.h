// Training for a class for each word.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/data/labels.h"
#include "tasks/tag/tag_decoder.h"
#include "tasks/tag/tag_model.h"
#include "tasks/tag/task_file.h"
#include "tasks/tag/word_reader.h"
#include "tasks/train/feature_cache.h"
#include "tasks/train/task.h"

namespace sesame {

struct TagTaskOptions {
  double label_smoothing = 0;
  std::int64_t eval_tokens = 4096;  // tokens in a batch of the evaluation
  std::int64_t cache_mb = 0;        // for what a frozen trunk says about each sentence
  Device device = {};
};

class TagTask : public Task {
 public:
  // `dev` may have no sentences. Tags of both sets are looked up now: an unknown one is an Error at its line.
  TagTask(TagModel& model, const Tokenizer& tokenizer, WordData train, WordData dev, TagTaskFile file,
          const TagTaskOptions& options);

  Module& model() override { return model_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(train_.sentences.size()); }
  std::int64_t train_length(std::int64_t i) const override;
  // Words: each counts once, however many windows show it.
  double loss_terms(std::span<const std::int64_t> examples) const override;
  LossPart loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) override;
  Metrics evaluate() override;
  std::int64_t dev_size() const override { return static_cast<std::int64_t>(dev_.sentences.size()); }
  std::vector<std::string> metric_names() const override;
  std::string main_metric() const override;

  std::string show(std::int64_t i) const override;
  // Confusion of tags, a table by type, tagged sentences with their mistakes, data summaries.
  void describe(Report& report) const override;
  std::vector<double> layer_weights() const override { return model_.head.features.layer_weights(); }
  std::string task_json() const override { return file_.to_json(); }

 private:
  const WordSentence& train_sentence(std::int64_t i) const {
    return train_.sentences.at(static_cast<std::size_t>(i));
  }
  WordInput train_input(std::int64_t i, std::int64_t example_in_update) const;

  TagModel& model_;
  Tokenizer tokenizer_;
  WordData train_, dev_;
  TagTaskFile file_;
  LabelMap labels_;
  TagTaskOptions options_;
  std::vector<std::vector<std::int64_t>> train_tags_;  // label numbers
  mutable std::vector<std::int32_t> lengths_;          // of training sentences, 0 where not asked for yet
  std::unique_ptr<FeatureCache> cache_;                // with a frozen trunk
  std::vector<DecodedSentence> decoded_;               // of dev, by the last evaluation
};

// Runs the model in evaluation mode over sentences, in order, batched by tokens: the logits of each. Counts
// words without a token of their own in `unknown_words` unless it is null. With a cache the sentences are its
// development set.
std::vector<SentenceLogits> tag_all(const TagModel& model, const Tokenizer& tokenizer,
                                    const std::vector<WordSentence>& sentences, const TagTaskFile& file,
                                    const TagTaskOptions& options, std::size_t* unknown_words = nullptr,
                                    FeatureCache* cache = nullptr);

// The names of label numbers.
std::vector<std::string> tag_names(const std::vector<std::int64_t>& tags,
                                   const std::vector<std::string>& labels);

}  // namespace sesame
