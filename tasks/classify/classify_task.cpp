#include "tasks/classify/classify_task.h"

#include <algorithm>

#include "autograd/check.h"
#include "tasks/classify/score.h"

namespace sesame {

ClassifyTask::ClassifyTask(ClassifyModel& model, const Tokenizer& tokenizer, Dataset train, Dataset dev,
                           LabelMap labels, ClassifyTaskOptions options)
    : model_(model),
      tokenizer_(tokenizer),
      train_(std::move(train)),
      dev_(std::move(dev)),
      labels_(std::move(labels)),
      options_(std::move(options)) {
  const Problem problem = model.head.options().problem;
  if (problem == Problem::OneClass) {
    train_classes_ = class_ids(train_, labels_);
    class_ids(dev_, labels_);  // an unknown label shows now, not after an epoch
  } else if (problem == Problem::MultiLabel) {
    const std::vector<std::uint8_t> matrix = label_matrix(train_, labels_);
    train_values_.assign(matrix.begin(), matrix.end());
    label_matrix(dev_, labels_);
  } else {
    const std::vector<double> values = label_values(train_);
    train_values_.assign(values.begin(), values.end());
  }
}

TokenSequence ClassifyTask::train_input(std::int64_t i, std::int64_t example_in_update) const {
  return tokenize_input(tokenizer_, train_.examples.at(static_cast<std::size_t>(i)).texts, options_.encode,
                        example_in_update);
}

std::int64_t ClassifyTask::train_length(std::int64_t i) const {
  if (lengths_.empty()) lengths_.resize(train_.examples.size());
  std::int32_t& length = lengths_.at(static_cast<std::size_t>(i));
  if (length == 0) length = static_cast<std::int32_t>(train_input(i, 0).ids.size());
  return length;
}

double ClassifyTask::loss_terms(std::span<const std::int64_t> examples) const {
  return model_.head.loss_terms(examples.size());
}

ClassifyTargets ClassifyTask::targets(std::span<const std::int64_t> rows) const {
  ClassifyTargets targets;
  const auto outputs = static_cast<std::size_t>(model_.head.options().outputs);
  for (std::int64_t row : rows) {
    const auto i = static_cast<std::size_t>(row);
    if (!train_classes_.empty()) {
      targets.classes.push_back(train_classes_[i]);
    } else {
      for (std::size_t j = 0; j < outputs; ++j) targets.values.push_back(train_values_[i * outputs + j]);
    }
  }
  return targets;
}

LossPart ClassifyTask::loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) {
  std::vector<TokenSequence> inputs;
  for (std::int64_t i : examples) {
    inputs.push_back(train_input(i, first + static_cast<std::int64_t>(inputs.size())));
  }
  const PackedBatch batch = pack_batch(inputs, model_.bert.config().max_position_embeddings, options_.device);
  const Tensor logits = model_.forward(batch);
  return {model_.head.loss(logits, targets(examples), normalizer, options_.label_smoothing),
          batch.segments.total()};
}

Metrics ClassifyTask::evaluate() {
  if (dev_.examples.empty()) return {};
  dev_outputs_ = classify_all(model_, tokenizer_, dev_.examples, options_);
  const Metrics all =
      score_classification(dev_, labels_, model_.head.options().problem, dev_outputs_.predictions);
  Metrics ordered;  // the preset's official scores first
  for (const std::string& name : options_.metrics) {
    if (all.has(name)) ordered.set(name, all.at(name));
  }
  for (const auto& [name, value] : all) ordered.set(name, value);
  return ordered;
}

std::vector<std::string> ClassifyTask::metric_names() const {
  switch (model_.head.options().problem) {
    case Problem::OneClass:
      return {"accuracy", "f1", "macro_f1", "mcc"};
    case Problem::MultiLabel:
      return {"accuracy", "f1", "micro_f1", "macro_f1"};
    case Problem::Regression:
      return {"pearson", "spearman", "mse"};
  }
  return {};
}

std::string ClassifyTask::main_metric() const {
  if (!options_.metrics.empty()) return options_.metrics.front();
  switch (model_.head.options().problem) {
    case Problem::OneClass:
      return "accuracy";
    case Problem::MultiLabel:
      return "micro_f1";
    case Problem::Regression:
      return "pearson";
  }
  return "";
}

ClassifyOutputs classify_all(const ClassifyModel& model, const Tokenizer& tokenizer,
                             const std::vector<Example>& examples, const ClassifyTaskOptions& options) {
  NoGradGuard no_grad;
  ClassifyOutputs outputs;
  std::vector<TokenSequence> inputs;
  std::int64_t tokens = 0;
  const auto flush = [&] {
    if (inputs.empty()) return;
    const PackedBatch batch = pack_batch(inputs, model.bert.config().max_position_embeddings, options.device);
    const Tensor logits = model.forward(batch);
    const std::vector<float> raw = logits.to(DType::Float32).to_vector<float>();
    const std::vector<float> predictions = model.head.predictions(logits);
    outputs.logits.insert(outputs.logits.end(), raw.begin(), raw.end());
    outputs.predictions.insert(outputs.predictions.end(), predictions.begin(), predictions.end());
    inputs.clear();
    tokens = 0;
  };
  for (const Example& example : examples) {
    TokenSequence input = tokenize_input(tokenizer, example.texts, options.encode, 0);
    const auto length = static_cast<std::int64_t>(input.ids.size());
    if (tokens + length > options.eval_tokens) flush();
    tokens += length;
    inputs.push_back(std::move(input));
  }
  flush();
  return outputs;
}

}  // namespace sesame
