#include "tasks/generate/task_file.h"

#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/use/task_json.h"

namespace sesame {

Generator parse_generator(const std::string& name) {
  if (name == "decoder") return Generator::Decoder;
  if (name == "self") return Generator::Self;
  fail("--generator", "unknown generator '{}': expected decoder or self", name);
}

const char* generator_name(Generator generator) {
  return generator == Generator::Decoder ? "decoder" : "self";
}

std::string GenerateTaskFile::to_json() const {
  OrderedJson json;
  json["format"] = 1;
  json["task"] = "generate";
  json["generator"] = generator_name(generator);
  json["decoder_layers"] = decoder_layers;
  json["target_vocabulary"] = own_vocabulary ? "own" : "encoder";
  json["features"] = features_text(features);
  json["features_norm"] = features.normalise;
  json["max_length"] = max_length;
  json["max_target_length"] = max_target_length;
  json["plain_special"] = plain_special;
  json["text_columns"] = columns.texts;
  json["target_column"] = columns.label;
  json["texts"] = texts;
  return json_text(json, 2) + "\n";
}

GenerateTaskFile GenerateTaskFile::read(const std::string& directory) {
  GenerateTaskFile file;
  read_task_json(directory, "generate", [&](const Json& json) {
    file.generator = parse_generator(json.at("generator"));
    file.decoder_layers = json.at("decoder_layers");
    file.own_vocabulary = json.at("target_vocabulary") == "own";
    file.features = parse_features(json.value("features", "last"), json.value("features_norm", false));
    file.max_length = json.at("max_length");
    file.max_target_length = json.at("max_target_length");
    file.plain_special = json.at("plain_special");
    file.columns.texts = json.at("text_columns").get<std::vector<std::string>>();
    file.columns.label = json.at("target_column");
    file.texts = json.at("texts");
  });
  return file;
}

}  // namespace sesame
