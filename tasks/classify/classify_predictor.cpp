#include "tasks/classify/classify_predictor.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/classify/score.h"
#include "tasks/data/presets.h"
#include "tasks/data/source.h"

namespace sesame {
namespace {

void add_to(std::vector<float>& sum, const std::vector<float>& values) {
  if (sum.empty()) sum.assign(values.size(), 0);
  for (std::size_t i = 0; i < values.size(); ++i) sum[i] += values[i];
}

OrderedJson label_json(std::span<const float> scores, const TrainedClassifier& model) {
  if (model.file.problem == Problem::Regression) return scores[0];
  if (model.file.problem == Problem::OneClass)
    return predicted_label(scores, model.labels, Problem::OneClass);
  return given_names(scores, model.labels);
}

// What one line predicts: names, or a number.
struct Prediction {
  std::vector<std::string> names;
  float number = 0;
};

Prediction read_prediction(const std::string& text, LabelKind kind, const std::string& where) {
  const OrderedJson line = json_or_discarded<OrderedJson>(text);
  SESAME_CHECK(line.is_object() && line.contains("label"), where,
               "expected an object with \"label\", as predict writes it, found {}", text.substr(0, 80));
  const OrderedJson& label = line["label"];
  Prediction prediction;
  if (kind == LabelKind::number) {
    SESAME_CHECK(label.is_number(), where, "expected a number as \"label\", found {}", json_text(label));
    prediction.number = label.get<float>();
    return prediction;
  }
  SESAME_CHECK(label.is_array() == (kind == LabelKind::multi_label), where,
               "expected {} as \"label\", found {}",
               kind == LabelKind::multi_label ? "a list of labels" : "one label", json_text(label));
  for (const OrderedJson& name : label.is_array() ? label : OrderedJson::array({label})) {
    SESAME_CHECK(name.is_string(), where, "expected a label's name, found {}", json_text(name));
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

ClassifyPredictor::ClassifyPredictor(const UseOptions& options) : options_(options) {
  TrainedFolders folders(options);
  for (const std::string& directory : options.models) {
    models_.push_back(load_trained_classifier(folders, directory));
    models_.back().options.eval_tokens = options.batch_tokens;
    SESAME_CHECK(models_.back().file.labels == first().file.labels &&
                     models_.back().file.problem == first().file.problem,
                 "--model", "'{}' and '{}' have different labels and cannot form an ensemble",
                 options.models.front(), directory);
  }
}

ReadOptions ClassifyPredictor::read_options(bool need_label) const {
  ReadOptions read = first().read_options(need_label);
  if (!options_.preset.empty()) {
    const ReadOptions own = read;
    read = find_preset(options_.preset).read;
    read.kind = own.kind;
    read.need_label = need_label;
    read.text_count = own.text_count;
  }
  if (!options_.columns.empty()) read.columns = parse_columns(options_.columns, read.columns);
  if (!options_.format.empty()) read.format = parse_format(options_.format);
  read.limit = static_cast<std::size_t>(options_.limit);
  return read;
}

ClassifyOutputs ClassifyPredictor::outputs(const std::vector<Example>& examples) const {
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

void ClassifyPredictor::give_lines(const std::vector<Example>& examples, const LineSink& sink) const {
  const ClassifyOutputs given = outputs(examples);
  const auto width = static_cast<std::size_t>(first().file.outputs());
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::span<const float> scores(given.predictions.data() + i * width, width);
    OrderedJson line;
    line["label"] = label_json(scores, first());
    for (std::size_t j = 0; j < width; ++j) {
      line["scores"][first().labels.size() > j ? first().labels.names()[j] : "value"] = scores[j];
    }
    if (options_.logits) {
      line["logits"] =
          std::vector<float>(given.logits.begin() + static_cast<std::ptrdiff_t>(i * width),
                             given.logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
    }
    sink(json_text(line));
  }
}

void ClassifyPredictor::predict(const std::string& input, const LineSink& sink) {
  ExampleReader reader(input, read_options(false));
  for_each_chunk<Example>(
      input, [&](Example& example) { return reader.next(example); },
      [&](const std::vector<Example>& chunk) { give_lines(chunk, sink); });
  say_dropped(reader.dropped());
}

Metrics ClassifyPredictor::evaluate(const std::string& path) {
  const Dataset data = read_examples(path, read_options(true));
  fmt::print(stderr, "{}: {}\n", path, describe(data));
  return score_classification(data, first().labels, first().file.problem, outputs(data.examples).predictions);
}

std::unique_ptr<Predictor> load_classify(const UseOptions& options) {
  return std::make_unique<ClassifyPredictor>(options);
}

Metrics score_classify(const ScoreOptions& options) {
  ReadOptions read;
  std::vector<std::string> labels;
  if (!options.preset.empty()) {
    read = find_preset(options.preset).read;
    labels = find_preset(options.preset).labels;
  }
  if (!options.columns.empty()) read.columns = parse_columns(options.columns, read.columns);
  if (!options.format.empty()) read.format = parse_format(options.format);
  if (!options.labels.empty()) read.kind = parse_label_kind(options.labels);
  if (!options.label_separator.empty()) read.label_separator = options.label_separator;
  read.limit = static_cast<std::size_t>(options.limit);
  const Dataset data = read_examples(options.data, read);
  fmt::print(stderr, "{}: {}\n", options.data, describe(data));
  const std::string& path = options.predictions;
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
