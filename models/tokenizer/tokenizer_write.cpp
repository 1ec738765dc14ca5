// Writing a tokenizer's files.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "models/tokenizer/json_reader.h"
#include "models/tokenizer/tokenizer_spec.h"

namespace sesame {
namespace {

using OrderedJson = OrderedJson;

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  const std::filesystem::path half = path.string() + ".part";
  std::ofstream out(half, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(half, path, error);
  if (!out || error) {
    std::error_code ignored;
    std::filesystem::remove(half, ignored);
    fail(path.string(), "cannot be written: check the directory, its rights and the space left");
  }
}

int32_t id_of_token(const TokenizerSpec& spec, const std::string& token) {
  for (const AddedToken& added : spec.added) {
    if (added.content == token) return added.id;
  }
  for (size_t id = 0; id < spec.vocab.size(); ++id) {
    if (spec.vocab[id] == token) return static_cast<int32_t>(id);
  }
  return -1;
}

// null where it follows from lower case, as the formats have it
OrderedJson strip_accents_json(const NormalizerOptions& options) {
  return options.strip_accents == options.lowercase ? OrderedJson() : OrderedJson(options.strip_accents);
}

OrderedJson post_processor_json(const TokenizerSpec& spec) {
  const auto special = [](const std::string& token, int type) {
    return OrderedJson{{"SpecialToken", {{"id", token}, {"type_id", type}}}};
  };
  const auto text = [](const char* id, int type) {
    return OrderedJson{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  OrderedJson tokens = OrderedJson::object();
  for (const std::string& token : {spec.cls_token, spec.sep_token}) {
    tokens[token] = {{"id", token},
                     {"ids", OrderedJson::array({id_of_token(spec, token)})},
                     {"tokens", OrderedJson::array({token})}};
  }
  OrderedJson json;
  json["type"] = "TemplateProcessing";
  json["single"] = OrderedJson::array({special(spec.cls_token, 0), text("A", 0), special(spec.sep_token, 0)});
  json["pair"] = json["single"];
  json["pair"].push_back(text("B", 1));
  json["pair"].push_back(special(spec.sep_token, 1));
  json["special_tokens"] = std::move(tokens);
  return json;
}

std::string tokenizer_json_bytes(const TokenizerSpec& spec) {
  OrderedJson json;
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  json["added_tokens"] = OrderedJson::array();
  for (const AddedToken& t : spec.added) {
    json["added_tokens"].push_back({{"id", t.id},
                                    {"content", t.content},
                                    {"single_word", t.single_word},
                                    {"lstrip", t.lstrip},
                                    {"rstrip", t.rstrip},
                                    {"normalized", t.normalized},
                                    {"special", t.special}});
  }
  json["normalizer"] = {{"type", "BertNormalizer"},
                        {"clean_text", spec.normalizer.clean_text},
                        {"handle_chinese_chars", spec.normalizer.handle_chinese_chars},
                        {"strip_accents", strip_accents_json(spec.normalizer)},
                        {"lowercase", spec.normalizer.lowercase}};
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  json["post_processor"] = post_processor_json(spec);
  json["decoder"] = {
      {"type", "WordPiece"}, {"prefix", spec.wordpiece.continuing_subword_prefix}, {"cleanup", true}};
  // A plain object: an ordered one searches all keys for each new one.
  Json vocab = Json::object();
  for (size_t id = 0; id < spec.vocab.size(); ++id) {
    if (!spec.vocab[id].empty()) vocab[spec.vocab[id]] = id;
  }
  json["model"] = {{"type", "WordPiece"},
                   {"unk_token", spec.wordpiece.unk_token},
                   {"continuing_subword_prefix", spec.wordpiece.continuing_subword_prefix},
                   {"max_input_chars_per_word", spec.wordpiece.max_input_chars_per_word}};
  std::string head = json_text(json);
  head.resize(head.size() - 2);  // "}}": the vocabulary goes in as the last member of the model
  return head + ",\"vocab\":" + json_text(vocab) + "}}";
}

OrderedJson special_tokens_json(const TokenizerSpec& spec) {
  OrderedJson json;
  json["unk_token"] = spec.wordpiece.unk_token;
  json["cls_token"] = spec.cls_token;
  json["sep_token"] = spec.sep_token;
  if (id_of_token(spec, spec.pad_token) >= 0) json["pad_token"] = spec.pad_token;
  if (id_of_token(spec, spec.mask_token) >= 0) json["mask_token"] = spec.mask_token;
  return json;
}

std::string config_bytes(const TokenizerSpec& spec) {
  OrderedJson json = special_tokens_json(spec);
  json["do_lower_case"] = spec.normalizer.lowercase;
  json["strip_accents"] = strip_accents_json(spec.normalizer);
  json["tokenize_chinese_chars"] = spec.normalizer.handle_chinese_chars;
  json["tokenizer_class"] = "BertTokenizer";
  return json_text(json, 2) + "\n";
}

std::string vocab_bytes(const TokenizerSpec& spec) {
  std::string bytes;
  for (const std::string& token : spec.vocab) bytes += token + '\n';
  return bytes;
}

}  // namespace

void write_tokenizer(const TokenizerSpec& spec, const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  SESAME_CHECK(!error, directory, "cannot be made: {}", error.message());
  auto files = spec.files;
  if (!files.contains("vocab.txt")) files["vocab.txt"] = vocab_bytes(spec);
  if (!files.contains("tokenizer.json")) files["tokenizer.json"] = tokenizer_json_bytes(spec);
  if (!files.contains("tokenizer_config.json")) files["tokenizer_config.json"] = config_bytes(spec);
  if (!files.contains("special_tokens_map.json")) {
    files["special_tokens_map.json"] = json_text(special_tokens_json(spec), 2) + "\n";
  }
  for (const auto& [name, bytes] : files) write_file(std::filesystem::path(directory) / name, bytes);
}

}  // namespace sesame
