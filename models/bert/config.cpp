#include "models/bert/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/mapped_file.h"
#include "models/io/strict_json.h"
#include "nn/layers/activation.h"

namespace sesame {

namespace {

// Values of one object by key; null counts as absent, as in transformers.
class Reader {
 public:
  Reader(const Json& object, const std::string& where) : object_(object), where_(where) {}

  const Json* find(const char* key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  const Json& need(const char* key) const {
    const Json* value = find(key);
    SESAME_CHECK(value != nullptr, where_, "lacks \"{}\"", key);
    return *value;
  }
  std::int64_t integer(const char* key, const Json& value) const {
    SESAME_CHECK(
        value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= INT64_MAX),
        where_, "\"{}\" must be an integer, found {}", key, json_text(value));
    return value.get<std::int64_t>();
  }
  void read(const char* key, std::int64_t& into, bool required = false) const {
    if (const Json* value = required ? &need(key) : find(key)) into = integer(key, *value);
  }
  void read(const char* key, double& into) const {
    const Json* value = find(key);
    if (value == nullptr) return;
    SESAME_CHECK(value->is_number(), where_, "\"{}\" must be a number, found {}", key, value->dump());
    into = value->get<double>();
  }
  void read(const char* key, std::string& into) const {
    const Json* value = find(key);
    if (value == nullptr) return;
    SESAME_CHECK(value->is_string(), where_, "\"{}\" must be a string, found {}", key, value->dump());
    into = value->get<std::string>();
  }
  // A switch that changes the model in a way that is not built here.
  void refuse_true(const char* key) const {
    const Json* value = find(key);
    SESAME_CHECK(value == nullptr || *value == false, where_, "\"{}\" is {}: only false is supported", key,
                 value->dump());
  }

 private:
  const Json& object_;
  const std::string& where_;
};

void check_model_type(const Reader& reader, const BertConfig& config, const std::string& where) {
  std::string model_type;
  reader.read("model_type", model_type);
  if (model_type.empty()) {  // Google's first files do not say
    for (const std::string& name : config.architectures) {
      SESAME_CHECK(name.starts_with("Bert"), where, "\"architectures\" names {}: expected a Bert class",
                   name);
    }
    return;
  }
  SESAME_CHECK(model_type == "bert", where, "\"model_type\" is \"{}\": expected \"bert\"", model_type);
}

// {"0": "no", "1": "yes"}: the ids must be 0 .. n - 1. label2id says the same the other way round (files
// where it was forgotten on a change are common) and is written anew.
std::vector<std::string> read_labels(const Reader& reader, const std::string& where) {
  const Json* map = reader.find("id2label");
  if (map == nullptr) return {};
  SESAME_CHECK(map->is_object(), where, "\"id2label\" must be an object, found {}", map->type_name());
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < map->size(); ++i) {
    const auto found = map->find(std::to_string(i));
    SESAME_CHECK(found != map->end() && found->is_string(), where,
                 "\"id2label\" has {} labels but no string under \"{}\": ids must be 0, 1, 2, ...",
                 map->size(), i);
    const std::string label = found->get<std::string>();
    SESAME_CHECK(std::find(labels.begin(), labels.end(), label) == labels.end(), where,
                 "\"id2label\" gives the label \"{}\" to two ids", label);
    labels.push_back(label);
  }
  return labels;
}

struct Limit {
  const char* key;
  std::int64_t value, largest;
};

}  // namespace

BertConfig BertConfig::from_file(const std::string& path) {
  const MappedFile file(path);
  return from_json(std::string(file.text()), path);
}

BertConfig BertConfig::from_json(const std::string& text, const std::string& where) {
  const Json document = parse_json(text, where);
  SESAME_CHECK(document.is_object(), where, "must be a JSON object, found {}", document.type_name());
  const Reader reader(document, where);
  BertConfig config;
  config.source_json = json_text(document);
  if (const Json* names = reader.find("architectures")) {
    SESAME_CHECK(names->is_array(), where, "\"architectures\" must be a list, found {}", names->type_name());
    for (const Json& name : *names) {
      SESAME_CHECK(name.is_string(), where, "\"architectures\" must hold strings, found {}", json_text(name));
      config.architectures.push_back(name.get<std::string>());
    }
  }
  check_model_type(reader, config, where);
  reader.refuse_true("is_decoder");
  reader.refuse_true("add_cross_attention");
  reader.read("vocab_size", config.vocab_size, true);
  reader.read("hidden_size", config.hidden_size, true);
  reader.read("num_hidden_layers", config.num_hidden_layers, true);
  reader.read("num_attention_heads", config.num_attention_heads, true);
  reader.read("intermediate_size", config.intermediate_size, true);
  reader.read("max_position_embeddings", config.max_position_embeddings, true);
  reader.read("type_vocab_size", config.type_vocab_size);
  reader.read("hidden_act", config.hidden_act);
  reader.read("hidden_dropout_prob", config.hidden_dropout_prob);
  reader.read("attention_probs_dropout_prob", config.attention_probs_dropout_prob);
  reader.read("initializer_range", config.initializer_range);
  reader.read("layer_norm_eps", config.layer_norm_eps);
  if (reader.find("classifier_dropout") != nullptr) {
    reader.read("classifier_dropout", config.classifier_dropout.emplace());
  }
  if (document.contains("pad_token_id")) {
    config.pad_token_id.reset();
    if (const Json* id = reader.find("pad_token_id"))
      config.pad_token_id = reader.integer("pad_token_id", *id);
  }
  std::string position_type = "absolute";
  reader.read("position_embedding_type", position_type);
  SESAME_CHECK(position_type == "absolute", where,
               "\"position_embedding_type\" is \"{}\": only absolute is supported", position_type);
  config.labels = read_labels(reader, where);
  reader.read("problem_type", config.problem_type);
  reader.read("torch_dtype", config.dtype);
  reader.read("dtype", config.dtype);
  config.check(where);
  return config;
}

void BertConfig::check(const std::string& where) const {
  const Limit limits[] = {{"vocab_size", vocab_size, 1 << 24},
                          {"hidden_size", hidden_size, 1 << 16},
                          {"num_hidden_layers", num_hidden_layers, 1024},
                          {"num_attention_heads", num_attention_heads, 1 << 12},
                          {"intermediate_size", intermediate_size, 1 << 20},
                          {"max_position_embeddings", max_position_embeddings, 1 << 20},
                          {"type_vocab_size", type_vocab_size, 1 << 16}};
  for (const Limit& limit : limits) {
    SESAME_CHECK(limit.value >= 1 && limit.value <= limit.largest, where, "\"{}\" is {}: expected 1 to {}",
                 limit.key, limit.value, limit.largest);
  }
  SESAME_CHECK(hidden_size % num_attention_heads == 0, where,
               "\"hidden_size\" {} is not divisible by \"num_attention_heads\" {}", hidden_size,
               num_attention_heads);
  const std::pair<const char*, double> dropouts[] = {
      {"hidden_dropout_prob", hidden_dropout_prob},
      {"attention_probs_dropout_prob", attention_probs_dropout_prob},
      {"classifier_dropout", classifier_dropout.value_or(0)}};
  for (const auto& [key, p] : dropouts) {
    SESAME_CHECK(p >= 0 && p < 1, where, "\"{}\" is {}: expected 0 <= p < 1", key, p);
  }
  SESAME_CHECK(layer_norm_eps > 0 && layer_norm_eps < 1, where,
               "\"layer_norm_eps\" is {}: expected 0 < eps < 1", layer_norm_eps);
  SESAME_CHECK(initializer_range >= 0 && initializer_range <= 10, where,
               "\"initializer_range\" is {}: expected 0 to 10", initializer_range);
  SESAME_CHECK(!pad_token_id || (*pad_token_id >= 0 && *pad_token_id < vocab_size), where,
               "\"pad_token_id\" is {}, outside of the vocabulary of {}", *pad_token_id, vocab_size);
  constexpr const char* kActivations = "gelu, gelu_new, gelu_pytorch_tanh, relu, tanh, swish or silu";
  try {
    SESAME_CHECK(parse_activation(hidden_act) != Activation::None, where, "no activation");
  } catch (const Error&) {
    fail(where, "\"hidden_act\" is \"{}\": expected {}", hidden_act, kActivations);
  }
  const bool known_problem = problem_type.empty() || problem_type == "regression" ||
                             problem_type == "single_label_classification" ||
                             problem_type == "multi_label_classification";
  SESAME_CHECK(known_problem, where,
               "\"problem_type\" is \"{}\": expected regression, single_label_classification or "
               "multi_label_classification",
               problem_type);
}

std::string BertConfig::to_json() const {
  Json out = json_or_discarded<Json>(source_json);
  out["model_type"] = "bert";
  out["vocab_size"] = vocab_size;
  out["hidden_size"] = hidden_size;
  out["num_hidden_layers"] = num_hidden_layers;
  out["num_attention_heads"] = num_attention_heads;
  out["intermediate_size"] = intermediate_size;
  out["max_position_embeddings"] = max_position_embeddings;
  out["type_vocab_size"] = type_vocab_size;
  out["hidden_act"] = hidden_act;
  out["hidden_dropout_prob"] = hidden_dropout_prob;
  out["attention_probs_dropout_prob"] = attention_probs_dropout_prob;
  out["initializer_range"] = initializer_range;
  out["layer_norm_eps"] = layer_norm_eps;
  out["position_embedding_type"] = "absolute";
  out["pad_token_id"] = pad_token_id ? Json(*pad_token_id) : Json();
  if (classifier_dropout || out.contains("classifier_dropout")) {
    out["classifier_dropout"] = classifier_dropout ? Json(*classifier_dropout) : Json();
  }
  if (!architectures.empty()) out["architectures"] = architectures;
  if (!labels.empty()) {
    Json id2label = Json::object(), label2id = Json::object();
    for (std::size_t i = 0; i < labels.size(); ++i) {
      id2label[std::to_string(i)] = labels[i];
      label2id[labels[i]] = i;
    }
    out["id2label"] = std::move(id2label);
    out["label2id"] = std::move(label2id);
    out.erase("num_labels");
  }
  if (!problem_type.empty()) {
    out["problem_type"] = problem_type;
  } else {
    out.erase("problem_type");
  }
  if (!dtype.empty()) {
    out.erase("dtype");
    out["torch_dtype"] = dtype;
  }
  return json_text(out, 2) + "\n";
}

}  // namespace sesame
