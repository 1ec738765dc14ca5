// Reading a tokenizer's files: tokenizer.json, or vocab.txt with tokenizer_config.json.
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/tokenizer/json_reader.h"
#include "models/tokenizer/tokenizer_spec.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

using tokenizer_json::bool_or;
using tokenizer_json::id_of;
using tokenizer_json::Json;
using tokenizer_json::member;
using tokenizer_json::string_or;

constexpr int64_t kMaxId = (1 << 24) - 1;

// Reads the file, if there is one, into `files`.
bool slurp(const std::filesystem::path& directory, const char* name,
           std::map<std::string, std::string>& files) {
  const std::filesystem::path path = directory / name;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return false;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream bytes;
  if (in && in.peek() != std::ifstream::traits_type::eof()) bytes << in.rdbuf();
  SESAME_CHECK(!in.bad() && in.is_open() && bytes && !std::filesystem::is_directory(path), path.string(),
               "cannot be read");
  files[name] = std::move(bytes).str();
  return true;
}

// The type of a part ("normalizer", ...) must be one of those that BERT's tokenizers use.
std::string part_type(const Json& root, const char* part, std::initializer_list<const char*> known,
                      const std::string& where) {
  const Json& json = member(root, part);
  SESAME_CHECK(json.is_object(), where, "has no {}: wanted {}", part, fmt::join(known, " or "));
  const std::string type = string_or(json, "type", "", where);
  SESAME_CHECK(std::find(known.begin(), known.end(), type) != known.end(), where,
               "{} \"{}\" is not supported: wanted {}, as BERT has it", part, type, fmt::join(known, " or "));
  return type;
}

NormalizerOptions read_normalizer(const Json& root, const std::string& where) {
  part_type(root, "normalizer", {"BertNormalizer"}, where);
  const Json& json = member(root, "normalizer");
  NormalizerOptions options;
  options.clean_text = bool_or(json, "clean_text", true, where);
  options.handle_chinese_chars = bool_or(json, "handle_chinese_chars", true, where);
  options.lowercase = bool_or(json, "lowercase", true, where);
  options.strip_accents = bool_or(json, "strip_accents", options.lowercase, where);
  return options;
}

void read_model(const Json& root, TokenizerSpec& spec) {
  const std::string& where = spec.where;
  const Json& model = member(root, "model");
  // Early files of the format do not name the type.
  if (!model.contains("type") && model.contains("continuing_subword_prefix")) {
    spec.wordpiece.unk_token = string_or(model, "unk_token", spec.wordpiece.unk_token, where);
  } else {
    part_type(root, "model", {"WordPiece"}, where);
    spec.wordpiece.unk_token = string_or(model, "unk_token", spec.wordpiece.unk_token, where);
  }
  auto& options = spec.wordpiece;
  options.continuing_subword_prefix =
      string_or(model, "continuing_subword_prefix", options.continuing_subword_prefix, where);
  if (const Json& limit = member(model, "max_input_chars_per_word"); !limit.is_null()) {
    options.max_input_chars_per_word = id_of(limit, INT32_MAX, "max_input_chars_per_word", where);
  }
  const Json& vocab = member(model, "vocab");
  SESAME_CHECK(vocab.is_object() && !vocab.empty(), where,
               "model.vocab must be an object with the tokens, got {}",
               vocab.empty() && vocab.is_object() ? "an empty one" : vocab.type_name());
  const auto limit = std::min<int64_t>(kMaxId, 4 * static_cast<int64_t>(vocab.size()) + (1 << 16));
  for (const auto& [token, id] : vocab.items()) {
    const auto at = static_cast<size_t>(id_of(id, limit, fmt::format("token \"{}\"", token), where));
    if (at >= spec.vocab.size()) spec.vocab.resize(at + 1);
    SESAME_CHECK(spec.vocab[at].empty(), where, "id {} belongs to two tokens: \"{}\" and \"{}\"", at,
                 spec.vocab[at], token);
    spec.vocab[at] = token;
  }
}

AddedToken read_added_token(const Json& json, const std::string& where) {
  AddedToken token;
  token.content = string_or(json, "content", "", where);
  token.special = bool_or(json, "special", false, where);
  token.single_word = bool_or(json, "single_word", false, where);
  token.lstrip = bool_or(json, "lstrip", false, where);
  token.rstrip = bool_or(json, "rstrip", false, where);
  token.normalized = bool_or(json, "normalized", !token.special, where);
  return token;
}

void read_added_tokens(const Json& root, TokenizerSpec& spec) {
  const Json& list = member(root, "added_tokens");
  if (list.is_null()) return;
  SESAME_CHECK(list.is_array(), spec.where, "\"added_tokens\" must be an array, got {}", list.type_name());
  for (const Json& json : list) {
    AddedToken token = read_added_token(json, spec.where);
    token.id =
        id_of(member(json, "id"), kMaxId, fmt::format("added token \"{}\"", token.content), spec.where);
    spec.added.push_back(std::move(token));
  }
}

// [CLS] and [SEP] of a post-processor, after a check that it makes BERT's inputs and no others.
void read_template(const Json& json, TokenizerSpec& spec) {
  const auto special = [](const std::string& id, int type) {
    return Json{{"SpecialToken", {{"id", id}, {"type_id", type}}}};
  };
  const auto text = [](const char* id, int type) {
    return Json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  const Json& single = member(json, "single");
  const auto name = [&](size_t i) {
    const Json& id =
        single.is_array() && i < single.size() ? member(member(single[i], "SpecialToken"), "id") : Json();
    return id.is_string() ? id.get<std::string>() : std::string();
  };
  const std::string cls = name(0);
  const std::string sep = name(2);
  const Json wanted = Json::array({special(cls, 0), text("A", 0), special(sep, 0)});
  Json wanted_pair = wanted;
  wanted_pair.push_back(text("B", 1));
  wanted_pair.push_back(special(sep, 1));
  SESAME_CHECK(
      single == wanted && member(json, "pair") == wanted_pair, spec.where,
      "post_processor: this template is not supported: wanted [CLS] A [SEP] and [CLS] A [SEP] B [SEP] with "
      "type ids 0 for A and 1 for B");
  for (const std::string& token : {cls, sep}) {
    const Json& ids = member(member(member(json, "special_tokens"), token.c_str()), "ids");
    SESAME_CHECK(ids.is_array() && ids.size() == 1, spec.where, "post_processor: \"{}\" must be one token",
                 token);
  }
  spec.cls_token = cls;
  spec.sep_token = sep;
}

void read_post_processor(const Json& root, TokenizerSpec& spec) {
  const std::string type =
      part_type(root, "post_processor", {"TemplateProcessing", "BertProcessing"}, spec.where);
  const Json& json = member(root, "post_processor");
  if (type == "TemplateProcessing") return read_template(json, spec);
  const auto name = [&](const char* key) {
    const Json& pair = member(json, key);
    SESAME_CHECK(pair.is_array() && pair.size() == 2 && pair[0].is_string(), spec.where,
                 "post_processor: \"{}\" must be a token and its id", key);
    return pair[0].get<std::string>();
  };
  spec.cls_token = name("cls");
  spec.sep_token = name("sep");
}

void read_tokenizer_json(TokenizerSpec& spec) {
  const Json root = tokenizer_json::parse(spec.files.at("tokenizer.json"), spec.where);
  spec.normalizer = read_normalizer(root, spec.where);
  part_type(root, "pre_tokenizer", {"BertPreTokenizer"}, spec.where);
  read_model(root, spec);
  read_added_tokens(root, spec);
  read_post_processor(root, spec);
}

void read_vocab_txt(TokenizerSpec& spec) {
  const std::string& bytes = spec.files.at("vocab.txt");
  for (size_t begin = 0; begin < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', begin), bytes.size());
    std::string token = bytes.substr(begin, end - begin);
    if (token.ends_with('\r')) token.pop_back();
    if (const auto fault = find_text_fault(token)) {
      fail(fmt::format("{}:{}", spec.where, spec.vocab.size() + 1), "{}", *fault);
    }
    spec.vocab.push_back(std::move(token));
    begin = end + 1;
  }
}

// A special token is given as a string or as an object with its content.
std::string special_or(const Json& root, const char* key, const std::string& fallback,
                       const std::string& where) {
  const Json& value = member(root, key);
  return value.is_object() ? string_or(value, "content", fallback, where)
                           : string_or(root, key, fallback, where);
}

struct SpecialName {
  const char* key;
  std::string* token;
};

std::array<SpecialName, 5> special_names(TokenizerSpec& spec) {
  return {{{"unk_token", &spec.wordpiece.unk_token},
           {"sep_token", &spec.sep_token},
           {"pad_token", &spec.pad_token},
           {"cls_token", &spec.cls_token},
           {"mask_token", &spec.mask_token}}};
}

int32_t id_in(const std::vector<std::string>& vocab, const std::string& token) {
  const auto found = std::find(vocab.begin(), vocab.end(), token);
  return found == vocab.end() ? -1 : static_cast<int32_t>(found - vocab.begin());
}

void add_special_names(TokenizerSpec& spec) {
  for (const auto& [key, token] : special_names(spec)) {
    const bool known =
        std::any_of(spec.added.begin(), spec.added.end(),
                    [name = token](const AddedToken& added) { return added.content == *name; });
    const int32_t id = id_in(spec.vocab, *token);
    if (!known && id >= 0) spec.added.push_back({.content = *token, .id = id});
  }
}

// What tokenizer_config.json says, for a tokenizer that comes as vocab.txt.
void read_config(const Json& config, const std::string& where, TokenizerSpec& spec) {
  spec.normalizer.lowercase = bool_or(config, "do_lower_case", true, where);
  spec.normalizer.strip_accents = bool_or(config, "strip_accents", spec.normalizer.lowercase, where);
  spec.normalizer.handle_chinese_chars = bool_or(config, "tokenize_chinese_chars", true, where);
  const Json& decoder = member(config, "added_tokens_decoder");
  if (!decoder.is_object()) return;
  for (const auto& [id, json] : decoder.items()) {
    AddedToken token = read_added_token(json, where);
    const bool number =
        !id.empty() && id.size() < 9 && id.find_first_not_of("0123456789") == std::string::npos;
    SESAME_CHECK(number, where, "added_tokens_decoder: \"{}\" is not an id", id);
    token.id = std::stoi(id);
    spec.added.push_back(std::move(token));
  }
}

void read_added_tokens_json(const Json& json, const std::string& where, TokenizerSpec& spec) {
  for (const auto& [content, id] : json.items()) {
    const bool known = std::any_of(spec.added.begin(), spec.added.end(),
                                   [&name = content](const AddedToken& added) { return added.content == name; });
    if (known) continue;
    AddedToken token{.content = content, .id = id_of(id, kMaxId, fmt::format("\"{}\"", content), where)};
    token.special = false;
    token.normalized = true;
    spec.added.push_back(std::move(token));
  }
}

}  // namespace

TokenizerSpec read_tokenizer(const std::string& directory) {
  TokenizerSpec spec;
  const std::filesystem::path base(directory);
  const auto path = [&](const char* name) { return (base / name).string(); };
  const bool has_json = slurp(base, "tokenizer.json", spec.files);
  const bool has_vocab = slurp(base, "vocab.txt", spec.files);
  SESAME_CHECK(
      has_json || has_vocab, directory,
      "no vocabulary: looked for tokenizer.json and vocab.txt; both come with the model's Hugging Face "
      "directory, one of them is enough");
  spec.where = path(has_json ? "tokenizer.json" : "vocab.txt");
  if (has_vocab && !has_json) read_vocab_txt(spec);
  for (const char* name : {"special_tokens_map.json", "tokenizer_config.json"}) {
    if (!slurp(base, name, spec.files)) continue;
    const Json json = tokenizer_json::parse(spec.files.at(name), path(name));
    for (const auto& [key, token] : special_names(spec)) *token = special_or(json, key, *token, path(name));
    if (!has_json && std::string_view(name) == "tokenizer_config.json") read_config(json, path(name), spec);
  }
  if (has_json) {
    read_tokenizer_json(spec);
    return spec;
  }
  if (slurp(base, "added_tokens.json", spec.files)) {
    const std::string where = path("added_tokens.json");
    read_added_tokens_json(tokenizer_json::parse(spec.files.at("added_tokens.json"), where), where, spec);
  }
  add_special_names(spec);
  return spec;
}

TokenizerSpec spec_from_vocab(std::vector<std::string> vocab, const NormalizerOptions& normalizer,
                              const std::string& where) {
  TokenizerSpec spec;
  spec.vocab = std::move(vocab);
  spec.normalizer = normalizer;
  spec.where = where;
  add_special_names(spec);
  return spec;
}

}  // namespace sesame
