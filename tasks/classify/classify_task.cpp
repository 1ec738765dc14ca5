#include "tasks/classify/classify_task.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/classify/score.h"
#include "tasks/data/model_input.h"
#include "tasks/ranks/batch_share.h"
#include "tasks/train/setup.h"

namespace sesame {

ClassifyTask::ClassifyTask(ClassifyModel& model, const Tokenizer& tokenizer, Dataset train, Dataset dev,
                           ClassifyTaskFile file, ClassifyTaskOptions options)
    : model_(model),
      tokenizer_(tokenizer),
      train_(std::move(train)),
      dev_(std::move(dev)),
      file_(std::move(file)),
      labels_(file_.labels),
      options_(std::move(options)) {
  if (model.frozen) cache_ = std::make_unique<FeatureCache>(options_.cache_mb << 20);
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
  const auto row = static_cast<std::size_t>(i);
  TokenSequence input =
      tokenize_input(tokenizer_, train_.examples.at(row).texts, options_.encode, example_in_update);
  if (lengths_.empty()) lengths_.resize(train_.examples.size());
  lengths_[row] = static_cast<std::int32_t>(input.ids.size());
  return input;
}

std::int64_t ClassifyTask::train_length(std::int64_t i) const {
  const auto row = static_cast<std::size_t>(i);
  if (lengths_.empty() || lengths_.at(row) == 0) train_input(i, 0);
  return lengths_[row];
}

std::string ClassifyTask::show(std::int64_t i) const {
  const Example& example = train_.examples.at(static_cast<std::size_t>(i));
  OrderedJson json = {{"line", example.line}, {"tokens", tokens_of(tokenizer_, train_input(i, 0).ids)}};
  if (file_.problem == Problem::OneClass) json["label"] = example.label;
  if (file_.problem == Problem::MultiLabel) json["labels"] = example.labels;
  if (file_.problem == Problem::Regression) json["value"] = example.value;
  return json_text(json);
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
  const auto compute = [&](std::span<const std::int64_t> some) {
    std::vector<TokenSequence> inputs;
    for (const std::int64_t i : some) {
      inputs.push_back(train_input(i, first + static_cast<std::int64_t>(inputs.size())));
    }
    return model_.rows(pack_batch(inputs, model_.bert.config().max_position_embeddings, options_.device));
  };
  const TrunkRows rows = cache_ ? cache_->rows(examples, compute) : compute(examples);
  SegmentsOptions names{.device = options_.device};
  std::int64_t tokens = 0;
  for (const std::int64_t i : examples) {
    names.examples.push_back(first++);
    tokens += train_length(i);
  }
  const Tensor logits = model_.read(rows, Segments(std::vector<std::int64_t>(examples.size(), 1), names));
  return {model_.head.loss(logits, targets(examples), normalizer, options_.label_smoothing), tokens};
}

Metrics ClassifyTask::evaluate() {
  if (dev_.examples.empty()) return {};
  dev_outputs_ = classify_all(model_, tokenizer_, dev_.examples, options_, cache_.get());
  const Metrics all =
      score_classification(dev_, labels_, model_.head.options().problem, dev_outputs_.predictions);
  if (model_.head.options().problem == Problem::OneClass) {
    const auto names_of = [&](const std::vector<std::int64_t>& classes) {
      std::vector<std::string> names;
      for (const std::int64_t c : classes) names.push_back(labels_.name(c));
      return names;
    };
    const auto outputs = static_cast<std::int64_t>(labels_.size());
    say_collapse(names_of(best_classes(dev_outputs_.predictions, outputs)),
                 names_of(class_ids(dev_, labels_)));
  }
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
                             const std::vector<Example>& examples, const ClassifyTaskOptions& options,
                             FeatureCache* cache) {
  NoGradGuard no_grad;
  BatchShare share;
  std::vector<TokenSequence> inputs;
  const auto rows = [&] {
    const TrunkRows rows =
        model.rows(pack_batch(inputs, model.bert.config().max_position_embeddings, options.device));
    inputs.clear();
    return rows;
  };
  const auto give = [&](const TrunkRows& rows) {
    const std::vector<std::int64_t> ones(rows.counts.size(), 1);
    const Tensor logits = model.read(rows, Segments(ones, {.device = options.device}));
    const std::vector<float> raw = logits.to(DType::Float32).to_vector<float>();
    const std::vector<float> predictions = model.head.predictions(logits);
    std::vector<double> both(raw.begin(), raw.end());
    both.insert(both.end(), predictions.begin(), predictions.end());
    share.give(std::move(both));
  };
  const auto gathered = [&] {
    ClassifyOutputs outputs;
    for (const std::vector<double>& both : share.all()) {
      const auto middle = both.begin() + static_cast<std::ptrdiff_t>(both.size() / 2);
      outputs.logits.insert(outputs.logits.end(), both.begin(), middle);
      outputs.predictions.insert(outputs.predictions.end(), middle, both.end());
    }
    return outputs;
  };
  const auto read = [&](std::size_t i) {
    return tokenize_input(tokenizer, examples[i].texts, options.encode, 0);
  };
  if (cache != nullptr) {
    const FeatureCache::Compute compute = [&](std::span<const std::int64_t> some) {
      for (const std::int64_t name : some) inputs.push_back(read(FeatureCache::dev_index(name)));
      return rows();
    };
    for (const std::vector<std::int64_t>& names :
         FeatureCache::dev_chunks(examples.size(), options.eval_tokens, options.encode.max_length)) {
      if (share.takes_next()) give(cache->rows(names, compute));
    }
    return gathered();
  }
  std::int64_t tokens = 0;
  const auto flush = [&] {
    if (share.takes_next()) give(rows());
    inputs.clear();
    tokens = 0;
  };
  for (std::size_t i = 0; i < examples.size(); ++i) {
    TokenSequence input = read(i);
    const auto length = static_cast<std::int64_t>(input.ids.size());
    if (tokens + length > options.eval_tokens && !inputs.empty()) flush();
    tokens += length;
    inputs.push_back(std::move(input));
  }
  if (!inputs.empty()) flush();
  return gathered();
}

}  // namespace sesame
