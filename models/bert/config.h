// BertConfig: config.json of a Hugging Face BERT directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sesame {

struct BertConfig {
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  std::string hidden_act = "gelu";
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  std::optional<double> classifier_dropout;  // default: hidden_dropout_prob
  double initializer_range = 0.02;
  double layer_norm_eps = 1e-12;
  std::optional<std::int64_t> pad_token_id = 0;

  std::vector<std::string> architectures;
  std::vector<std::string> labels;  // id2label in the order of the ids; empty when the file names none
  std::string problem_type;  // "", "single_label_classification", "multi_label_classification", "regression"
  std::string dtype;         // of the stored weights: "float32"; "" when the file does not say
  // The object the values came from: keys that are not known here survive being written back.
  std::string source_json = "{}";

  // Throws Error naming the file and the key.
  static BertConfig from_file(const std::string& path);
  static BertConfig from_json(const std::string& text, const std::string& where);
  // Indented JSON with sorted keys, as Hugging Face writes it.
  std::string to_json() const;
  // Checks all values; `where` is named in the error.
  void check(const std::string& where) const;
};

}  // namespace sesame
