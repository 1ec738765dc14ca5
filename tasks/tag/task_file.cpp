#include "tasks/tag/task_file.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/use/task_json.h"

namespace sesame {

TagHeadOptions TagTaskFile::head_options(const BertConfig& config) const {
  return {.width = config.hidden_size,
          .outputs = static_cast<std::int64_t>(labels.size()),
          .mlp = mlp,
          .crf = decode == Decode::Crf,
          .dropout = config.classifier_dropout.value_or(config.hidden_dropout_prob),
          .features = features,
          .layers = config.num_hidden_layers};
}

WordInputOptions TagTaskFile::input_options() const {
  return {.max_length = max_length, .stride = stride, .plain_special = plain_special};
}

std::string TagTaskFile::to_json() const {
  OrderedJson json;
  json["format"] = 1;
  json["task"] = "tag";
  json["labels"] = labels;
  json["head"] = mlp ? "mlp" : "linear";
  json["features"] = features_text(features);
  json["features_norm"] = features.normalise;
  json["decode"] = decode_name(decode);
  json["scheme"] = scheme_name(scheme);
  json["max_length"] = max_length;
  json["stride"] = stride;
  json["plain_special"] = plain_special;
  json["preset"] = preset;
  json["data_format"] = word_format_name(data_format);
  json["text_columns"] = columns.texts;
  json["label_column"] = columns.label;
  json["texts"] = contexts + 1;
  json["metrics"] = metrics;
  json["parameters_of_the_head"] = fmt::format("{}{}", standard() ? "classifier.*" : "head.classifier.*",
                                               decode == Decode::Crf ? ", head.crf.*" : "");
  return json_text(json, 2) + "\n";
}

TagTaskFile TagTaskFile::read(const std::string& directory) {
  const std::string path = directory + "/task.json";
  TagTaskFile file;
  read_task_json(directory, "tag", [&](const Json& json) {
    file.labels = json.at("labels").get<std::vector<std::string>>();
    file.mlp = json.at("head") == "mlp";
    file.features = parse_features(json.value("features", "last"), json.value("features_norm", false));
    file.decode = parse_decode(json.at("decode"), path);
    file.scheme = parse_scheme(json.at("scheme"), path);
    file.max_length = json.at("max_length");
    file.stride = json.at("stride");
    file.plain_special = json.at("plain_special");
    file.preset = json.at("preset");
    file.data_format = parse_word_format(json.at("data_format"));
    file.columns.texts = json.at("text_columns").get<std::vector<std::string>>();
    file.columns.label = json.at("label_column");
    const std::int64_t texts = json.at("texts");
    SESAME_CHECK(texts >= 1 && file.labels.size() >= 2, path, "names {} texts and {} labels", texts,
                 file.labels.size());
    file.contexts = static_cast<std::size_t>(texts - 1);
    file.metrics = json.at("metrics").get<std::vector<std::string>>();
  });
  return file;
}

}  // namespace sesame
