#include "tasks/classify/predict.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "tasks/data/source.h"

namespace sesame {
namespace {

using Json = nlohmann::ordered_json;

void add_to(std::vector<float>& sum, const std::vector<float>& values) {
  if (sum.empty()) sum.assign(values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
}

Json label_json(std::span<const float> scores, const TrainedClassifier& model) {
  if (model.file.problem == Problem::Regression) return scores[0];
  if (model.file.problem == Problem::OneClass)
    return predicted_label(scores, model.labels, Problem::OneClass);
  Json given = Json::array();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] > 0.5f) given.push_back(model.labels.names()[i]);
  }
  return given;
}

// One predicted label of a JSON line, put into the rows that the metrics read.
void add_prediction(const Json& label, const LabelMap& labels, Problem problem, const std::string& where,
                    std::vector<float>& predictions) {
  if (problem == Problem::Regression) {
    SESAME_CHECK(label.is_number(), where, "expected a number as \"label\", found {}", label.dump());
    predictions.push_back(label.get<float>());
    return;
  }
  std::vector<float> row(labels.size(), 0);
  const auto set = [&](const Json& name) {
    SESAME_CHECK(name.is_string(), where, "expected a label's name, found {}", name.dump());
    row[static_cast<std::size_t>(labels.id(name.get<std::string>(), where))] = 1;
  };
  if (problem == Problem::MultiLabel) {
    SESAME_CHECK(label.is_array(), where, "expected a list of labels, found {}", label.dump());
    for (const Json& name : label) set(name);
  } else {
    set(label);
  }
  predictions.insert(predictions.end(), row.begin(), row.end());
}

}  // namespace

ClassifyPredictor::ClassifyPredictor(const std::vector<std::string>& directories, Device device,
                                     std::int64_t batch_tokens) {
  SESAME_CHECK(!directories.empty(), "--model", "names no model");
  SESAME_CHECK(batch_tokens > 0, "--batch-tokens", "must be positive, got {}", batch_tokens);
  for (const std::string& directory : directories) {
    models_.push_back(load_trained_classifier(directory, device));
    models_.back().options.eval_tokens = batch_tokens;
    SESAME_CHECK(models_.back().file.labels == first().file.labels &&
                     models_.back().file.problem == first().file.problem,
                 "--model", "'{}' and '{}' have different labels and cannot form an ensemble",
                 directories.front(), directory);
  }
}

ClassifyOutputs ClassifyPredictor::predict(const std::vector<Example>& examples) const {
  ClassifyOutputs mean;
  for (const TrainedClassifier& model : models_) {
    const ClassifyOutputs one = classify_all(*model.model, model.tokenizer, examples, model.options);
    add_to(mean.logits, one.logits);
    add_to(mean.predictions, one.predictions);
  }
  const auto count = static_cast<float>(models_.size());
  for (float& value : mean.logits) value /= count;
  for (float& value : mean.predictions) value /= count;
  return mean;
}

std::vector<std::string> ClassifyPredictor::json_lines(const std::vector<Example>& examples,
                                                       bool logits) const {
  const ClassifyOutputs outputs = predict(examples);
  const auto width = static_cast<std::size_t>(first().file.outputs());
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::span<const float> scores(outputs.predictions.data() + i * width, width);
    Json line;
    line["label"] = label_json(scores, first());
    for (std::size_t j = 0; j < width; ++j) {
      line["scores"][first().labels.size() > j ? first().labels.names()[j] : "value"] = scores[j];
    }
    if (logits) {
      line["logits"] =
          std::vector<float>(outputs.logits.begin() + static_cast<std::ptrdiff_t>(i * width),
                             outputs.logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    }
    lines.push_back(line.dump());
  }
  return lines;
}

Metrics score_prediction_file(const std::string& path, const Dataset& data, const LabelMap& labels,
                              Problem problem) {
  std::vector<float> predictions;
  LineReader reader(path);
  std::size_t count = 0;
  for (std::string text; reader.next(text); ++count) {
    const Json line = Json::parse(text, nullptr, false);
    SESAME_CHECK(line.is_object() && line.contains("label"), reader.where(),
                 "expected an object with \"label\", as predict writes it, found {}", text.substr(0, 80));
    add_prediction(line["label"], labels, problem, reader.where(), predictions);
  }
  SESAME_CHECK(count == data.examples.size(), path, "has {} predictions, {} has {} examples", count,
               data.path, data.examples.size());
  return score_classification(data, labels, problem, predictions);
}

}  // namespace sesame
