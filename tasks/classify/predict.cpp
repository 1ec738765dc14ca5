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

// What one line predicts: names, or a number.
struct Prediction {
  std::vector<std::string> names;
  float number = 0;
};

Prediction read_prediction(const std::string& text, LabelKind kind, const std::string& where) {
  const Json line = Json::parse(text, nullptr, false);
  SESAME_CHECK(line.is_object() && line.contains("label"), where,
               "expected an object with \"label\", as predict writes it, found {}", text.substr(0, 80));
  const Json& label = line["label"];
  Prediction prediction;
  if (kind == LabelKind::number) {
    SESAME_CHECK(label.is_number(), where, "expected a number as \"label\", found {}", label.dump());
    prediction.number = label.get<float>();
    return prediction;
  }
  SESAME_CHECK(label.is_array() == (kind == LabelKind::multi_label), where,
               "expected {} as \"label\", found {}",
               kind == LabelKind::multi_label ? "a list of labels" : "one label", label.dump());
  for (const Json& name : label.is_array() ? label : Json::array({label})) {
    SESAME_CHECK(name.is_string(), where, "expected a label's name, found {}", name.dump());
    prediction.names.push_back(name.get<std::string>());
  }
  return prediction;
}

// All classes of the data and the predictions, in the order in which training would number them.
LabelMap labels_of(const Dataset& data, const std::vector<Prediction>& predictions) {
  Dataset all;
  all.kind = data.kind;
  all.examples = data.examples;
  for (const Prediction& p : predictions) {
    for (const std::string& name : p.names) {
      Example example;
      (data.kind == LabelKind::multi_label ? example.labels.emplace_back() : example.label) = name;
      all.examples.push_back(std::move(example));
    }
  }
  return LabelMap::of(all);
}

}  // namespace

ClassifyPredictor::ClassifyPredictor(const std::vector<std::string>& directories, Device device,
                                     std::int64_t batch_tokens, bool verbose) {
  SESAME_CHECK(!directories.empty(), "--model", "names no model");
  SESAME_CHECK(batch_tokens > 0, "--batch-tokens", "must be positive, got {}", batch_tokens);
  for (const std::string& directory : directories) {
    models_.push_back(load_trained_classifier(directory, device, verbose));
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

Metrics score_prediction_file(const std::string& path, const Dataset& data,
                              const std::vector<std::string>& labels) {
  std::vector<Prediction> predictions;
  LineReader reader(path);
  for (std::string text; reader.next(text);) {
    predictions.push_back(read_prediction(text, data.kind, reader.where()));
  }
  SESAME_CHECK(predictions.size() == data.examples.size(), path, "has {} predictions, {} has {} examples",
               predictions.size(), data.path, data.examples.size());
  std::vector<float> rows;
  if (data.kind == LabelKind::number) {
    for (const Prediction& p : predictions) rows.push_back(p.number);
    return score_classification(data, {}, Problem::Regression, rows);
  }
  const LabelMap map = labels.empty() ? labels_of(data, predictions) : LabelMap(labels);
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    std::vector<float> row(map.size(), 0);
    for (const std::string& name : predictions[i].names) {
      row[static_cast<std::size_t>(map.id(name, fmt::format("{}:{}", path, i + 1)))] = 1;
    }
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return score_classification(
      data, map, data.kind == LabelKind::multi_label ? Problem::MultiLabel : Problem::OneClass, rows);
}

}  // namespace sesame
