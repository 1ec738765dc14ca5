#include "tasks/extract/task_file.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/use/task_json.h"

namespace sesame {

std::string ExtractTaskFile::to_json() const {
  OrderedJson json;
  json["format"] = 1;
  json["task"] = "extract";
  json["head"] = mlp ? "mlp" : "linear";
  json["features"] = features_text(features);
  json["features_norm"] = features.normalise;
  json["max_length"] = windows.max_length;
  json["stride"] = windows.stride;
  json["plain_special"] = windows.plain_special;
  json["max_answer"] = max_answer;
  json["texts"] = texts;
  json["question"] = windows.question;
  json["null_answers"] = null_answers;
  json["null_threshold"] = null_threshold;
  json["preset"] = preset;
  json["text_columns"] = columns.texts;
  json["label_column"] = columns.label;
  return json_text(json, 2) + "\n";
}

ExtractTaskFile ExtractTaskFile::read(const std::string& directory) {
  const std::string path = directory + "/task.json";
  ExtractTaskFile file;
  read_task_json(directory, "extract", [&](const Json& json) {
    file.mlp = json.at("head") == "mlp";
    file.features = parse_features(json.value("features", "last"), json.value("features_norm", false));
    file.windows.max_length = json.at("max_length");
    file.windows.stride = json.at("stride");
    file.windows.plain_special = json.at("plain_special");
    file.windows.question = json.at("question");
    file.max_answer = json.at("max_answer");
    file.texts = json.at("texts");
    file.null_answers = json.at("null_answers");
    file.null_threshold = json.at("null_threshold");
    file.preset = json.at("preset");
    file.columns.texts = json.at("text_columns").get<std::vector<std::string>>();
    file.columns.label = json.at("label_column");
  });
  SESAME_CHECK(file.windows.stride >= 0 && file.max_answer > 0 && (file.texts == 1 || file.texts == 2), path,
               "stride {}, max_answer {}, texts {}: out of range", file.windows.stride, file.max_answer,
               file.texts);
  return file;
}

}  // namespace sesame
