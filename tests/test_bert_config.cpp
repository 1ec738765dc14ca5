// config.json of BERT: values, defaults, what is refused, and that unknown keys survive.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "models/bert/config.h"
#include "tests/temporary.h"

using namespace sesame;
using nlohmann::json;
using sesame::testing::contains;
using sesame::testing::error_of;

namespace {

const char* const kSmall = R"({
  "model_type": "bert", "architectures": ["BertModel"], "vocab_size": 100, "hidden_size": 32,
  "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 40,
  "_name_or_path": "somewhere", "gradient_checkpointing": false, "task_specific_params": {"a": [1, null]}})";

// The small configuration with one key set to a value given as JSON; "" removes the key.
std::string with(const std::string& key, const std::string& value) {
  json config = json::parse(kSmall);
  config.erase(key);
  if (!value.empty()) config[key] = json::parse(value);
  return config.dump();
}

std::string error(const std::string& text) {
  return error_of([&] { BertConfig::from_json(text, "dir/config.json"); });
}

}  // namespace

TEST_CASE("values and defaults") {
  const BertConfig config = BertConfig::from_json(kSmall, "config.json");
  CHECK(config.vocab_size == 100);
  CHECK(config.hidden_size == 32);
  CHECK(config.num_hidden_layers == 2);
  CHECK(config.num_attention_heads == 4);
  CHECK(config.intermediate_size == 64);
  CHECK(config.max_position_embeddings == 40);
  CHECK(config.type_vocab_size == 2);
  CHECK(config.hidden_act == "gelu");
  CHECK(config.hidden_dropout_prob == 0.1);
  CHECK(config.layer_norm_eps == 1e-12);
  CHECK(config.pad_token_id == 0);
  CHECK(!config.classifier_dropout.has_value());
  CHECK(config.architectures == std::vector<std::string>{"BertModel"});
  CHECK(config.labels.empty());
  CHECK(config.problem_type.empty());
  CHECK(!BertConfig::from_json(with("pad_token_id", "null"), "c").pad_token_id.has_value());
  CHECK(BertConfig::from_json(with("classifier_dropout", "0.3"), "c").classifier_dropout == 0.3);
  CHECK(BertConfig::from_json(with("model_type", ""), "c").hidden_size == 32);
  for (const char* name : {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "swish", "silu", "tanh"}) {
    CHECK(BertConfig::from_json(with("hidden_act", fmt::format("\"{}\"", name)), "c").hidden_act == name);
  }
}

TEST_CASE("the golden model's file") {
  const BertConfig config =
      BertConfig::from_file(std::string(SESAME_SOURCE_DIR) + "/tests/golden/tiny_bert/config.json");
  CHECK(config.labels == std::vector<std::string>{"no", "maybe", "yes"});
  CHECK(config.vocab_size == 64);
  CHECK(config.dtype == "float32");
}

TEST_CASE("unknown keys survive and changed values are written") {
  BertConfig config = BertConfig::from_json(kSmall, "config.json");
  config.labels = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "ä"};
  config.problem_type = "single_label_classification";
  config.architectures = {"BertForSequenceClassification"};
  config.dtype = "float32";
  const std::string text = config.to_json();
  const json written = json::parse(text);
  CHECK(written["_name_or_path"] == "somewhere");
  CHECK(written["task_specific_params"] == json::parse(R"({"a": [1, null]})"));
  CHECK(written["id2label"]["10"] == "ä");
  CHECK(written["label2id"]["c9"] == 9);
  CHECK(written["architectures"] == json::parse(R"(["BertForSequenceClassification"])"));
  CHECK(written["torch_dtype"] == "float32");
  CHECK(written["problem_type"] == "single_label_classification");
  CHECK(!written.contains("classifier_dropout"));
  const BertConfig again = BertConfig::from_json(text, "config.json");
  CHECK(again.labels == config.labels);
  CHECK(again.to_json() == text);
  CHECK(json::parse(BertConfig::from_json(kSmall, "c").to_json())["gradient_checkpointing"] == false);
}

TEST_CASE("refusals name the file and the key") {
  const std::tuple<const char*, const char*, const char*> rows[] = {
      {"model_type", "\"roberta\"", "\"model_type\" is \"roberta\": expected \"bert\""},
      {"hidden_size", "", "lacks \"hidden_size\""},
      {"vocab_size", "null", "lacks \"vocab_size\""},
      {"hidden_size", "30", "\"hidden_size\" 30 is not divisible by \"num_attention_heads\" 4"},
      {"hidden_size", "\"32\"", "\"hidden_size\" must be an integer, found \"32\""},
      {"hidden_size", "32.0", "\"hidden_size\" must be an integer, found 32.0"},
      {"hidden_size", "18446744073709551615", "\"hidden_size\" must be an integer"},
      {"num_hidden_layers", "0", "\"num_hidden_layers\" is 0: expected 1 to"},
      {"num_attention_heads", "0", "\"num_attention_heads\" is 0: expected 1 to"},
      {"vocab_size", "-5", "\"vocab_size\" is -5: expected 1 to"},
      {"max_position_embeddings", "99999999999", "\"max_position_embeddings\" is 99999999999: expected 1 to"},
      {"hidden_act", "\"mish\"", "\"hidden_act\" is \"mish\": expected gelu"},
      {"hidden_act", "\"linear\"", "\"hidden_act\" is \"linear\": expected gelu"},
      {"hidden_dropout_prob", "1", "\"hidden_dropout_prob\" is 1: expected 0 <= p < 1"},
      {"attention_probs_dropout_prob", "\"x\"", "\"attention_probs_dropout_prob\" must be a number"},
      {"layer_norm_eps", "0", "\"layer_norm_eps\" is 0"},
      {"pad_token_id", "100", "\"pad_token_id\" is 100, outside of the vocabulary of 100"},
      {"position_embedding_type", "\"relative_key\"", "only absolute is supported"},
      {"is_decoder", "true", "\"is_decoder\" is true: only false is supported"},
      {"id2label", "{\"0\": \"a\", \"2\": \"b\"}", "\"id2label\" has 2 labels but no string under \"1\""},
      {"id2label", "{\"0\": \"a\", \"1\": \"a\"}", "gives the label \"a\" to two ids"},
      {"id2label", "[\"a\"]", "\"id2label\" must be an object"},
      {"problem_type", "\"guess\"", "\"problem_type\" is \"guess\""},
      {"architectures", "\"BertModel\"", "\"architectures\" must be a list"},
  };
  for (const auto& [key, value, expected] : rows) {
    const std::string text = error(with(key, value));
    CHECK_MESSAGE(contains(text, expected), text);
    CHECK_MESSAGE(contains(text, "dir/config.json"), text);
  }
  CHECK(contains(error("[]"), "must be a JSON object"));
  CHECK(contains(error("{"), "is not valid UTF-8 JSON"));
  CHECK(contains(error(""), "is not valid UTF-8 JSON"));
  CHECK(contains(error(R"({"vocab_size": 1, "vocab_size": 2})"), "key \"vocab_size\" appears twice"));
}
