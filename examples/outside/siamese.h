// A head and a task that Sesame does not have: two sentences go through the encoder apart from each other,
// and the angle between their mean vectors decides whether they say the same (Reimers & Gurevych 2019,
// "Sentence-BERT").
#pragma once

#include <sesame/models/bert/bert.h>
#include <sesame/models/tokenizer/tokenizer.h>
#include <sesame/tasks/data/examples.h>
#include <sesame/tasks/train/task.h>

#include <span>
#include <string>
#include <vector>

namespace outside {

// Logit of "the same": scale * (cos(u, v) - threshold), u and v the mean states of both sentences.
class SiameseHead : public sesame::Module {
 public:
  SiameseHead();
  // states [T, H] of 2n sequences, both sentences of an example side by side -> [n, 1].
  sesame::Tensor forward(const sesame::Tensor& states, const sesame::Segments& segments) const;

  sesame::Tensor scale, threshold;  // [1]
};

class SiameseModel : public sesame::Module {
 public:
  explicit SiameseModel(const sesame::BertConfig& config);
  sesame::Tensor forward(const sesame::PackedBatch& batch) const;

  sesame::Bert bert;
  SiameseHead head;
};

// What the trainer asks: sizes, losses, scores.
class SiameseTask : public sesame::Task {
 public:
  SiameseTask(SiameseModel& model, sesame::Tokenizer tokenizer, sesame::Dataset train, sesame::Dataset dev);

  sesame::Module& model() override { return model_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(train_.examples.size()); }
  std::int64_t train_length(std::int64_t i) const override;
  double loss_terms(std::span<const std::int64_t> examples) const override {
    return static_cast<double>(examples.size());
  }
  sesame::LossPart loss(std::span<const std::int64_t> examples, std::int64_t first,
                        double normalizer) override;

  std::int64_t dev_size() const override { return static_cast<std::int64_t>(dev_.examples.size()); }
  std::vector<std::string> metric_names() const override { return {"accuracy"}; }
  std::string main_metric() const override { return "accuracy"; }
  sesame::Metrics evaluate() override;

 private:
  sesame::PackedBatch pack(const sesame::Dataset& data, std::span<const std::int64_t> examples,
                           std::int64_t first) const;

  SiameseModel& model_;
  sesame::Tokenizer tokenizer_;
  sesame::Dataset train_, dev_;
};

}  // namespace outside
