#include "tasks/classify/task_file.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/use/task_json.h"

namespace sesame {
namespace {

Problem parse_problem(const std::string& name, const std::string& where) {
  for (Problem p : {Problem::OneClass, Problem::MultiLabel, Problem::Regression}) {
    if (name == problem_name(p)) return p;
  }
  fail(where, "unknown problem '{}': expected one_class, multi_label or regression", name);
}

}  // namespace

const char* problem_name(Problem problem) {
  switch (problem) {
    case Problem::OneClass:
      return "one_class";
    case Problem::MultiLabel:
      return "multi_label";
    case Problem::Regression:
      return "regression";
  }
  return "?";
}

std::string ClassifyTaskFile::to_json() const {
  OrderedJson json;
  json["format"] = 1;
  json["task"] = "classify";
  json["problem"] = problem_name(problem);
  json["labels"] = labels;
  json["head"] = mlp ? "mlp" : "linear";
  json["pool"] = pooling_name(pooling);
  json["features"] = features_text(features);
  json["features_norm"] = features.normalise;
  json["max_length"] = max_length;
  json["plain_special"] = plain_special;
  json["preset"] = preset;
  json["text_columns"] = columns.texts;
  json["label_column"] = columns.label;
  json["label_separator"] = label_separator;
  json["texts"] = texts;
  json["metrics"] = metrics;
  return json_text(json, 2) + "\n";
}

ClassifyTaskFile ClassifyTaskFile::read(const std::string& directory) {
  const std::string path = directory + "/task.json";
  ClassifyTaskFile file;
  read_task_json(directory, "classify", [&](const Json& json) {
    file.problem = parse_problem(json.at("problem"), path);
    file.labels = json.at("labels").get<std::vector<std::string>>();
    file.mlp = json.at("head") == "mlp";
    file.pooling = parse_pooling(json.at("pool"));
    file.features = parse_features(json.value("features", "last"), json.value("features_norm", false));
    file.max_length = json.at("max_length");
    file.plain_special = json.at("plain_special");
    file.preset = json.at("preset");
    file.columns.texts = json.at("text_columns").get<std::vector<std::string>>();
    file.columns.label = json.at("label_column");
    file.label_separator = json.at("label_separator");
    file.texts = json.at("texts");
    file.metrics = json.at("metrics").get<std::vector<std::string>>();
  });
  return file;
}

}  // namespace sesame
