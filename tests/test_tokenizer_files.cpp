// The tokenizer's files: what is refused and how it is said, and what is written back.
#include <doctest/doctest.h>

#include "models/tokenizer/tokenizer_spec.h"
#include "tests/tokenizer_test_util.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

const std::string kDirectory = SESAME_SOURCE_DIR "/tests/golden/tokenizer";
const char* const kTexts[] = {"Hello unaffable WORLD!", "Café 漢字 [SEP] newtok", "naïve [MASK]", ""};

Json tokenizer_json() { return Json::parse(read_bytes(kDirectory + "/tokenizer.json")); }

// The error of loading a directory with one file, its path cut away.
std::string load_error(const std::string& name, const std::string& bytes) {
  const TemporaryDirectory directory;
  directory.write(name, bytes);
  try {
    Tokenizer::load(directory.path());
  } catch (const Error& error) {
    std::string text = error.what();
    const std::string prefix = directory.path() + "/";
    for (size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    CHECK(text.find('\n') == std::string::npos);
    return text;
  }
  return "loaded";
}

std::string json_error(const std::string& pointer, const Json& value) {
  Json json = tokenizer_json();
  json[Json::json_pointer(pointer)] = value;
  return load_error("tokenizer.json", json.dump());
}

void check_same(const Tokenizer& a, const Tokenizer& b) {
  for (const char* text : kTexts) {
    CHECK(a.encode(text).ids == b.encode(text).ids);
    CHECK(a.encode(text).offsets == b.encode(text).offsets);
  }
  CHECK(a.vocab_size() == b.vocab_size());
}

}  // namespace

TEST_CASE("a missing or broken vocabulary is one clear line") {
  const TemporaryDirectory empty;
  CHECK_THROWS_WITH(
      Tokenizer::load(empty.path()),
      ("[" + empty.path() +
       "] no vocabulary: looked for tokenizer.json and vocab.txt; both come with the model's Hugging Face "
       "directory, one of them is enough")
          .c_str());
  CHECK(load_error("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\nb\na\n") ==
        "[vocab.txt] token \"a\" stands twice in the vocabulary: again with id 5");
  CHECK(load_error("vocab.txt", "[CLS]\n[SEP]\na\n") ==
        "[vocab.txt] the vocabulary (3 tokens) lacks the unknown token \"[UNK]\"");
  CHECK(load_error("vocab.txt", "[UNK]\n[SEP]\na\n") ==
        "[vocab.txt] the vocabulary (3 tokens) lacks the class token \"[CLS]\"");
  CHECK(load_error("vocab.txt", "") ==
        "[vocab.txt] the vocabulary (0 tokens) lacks the unknown token \"[UNK]\"");
  CHECK(load_error("vocab.txt", "[UNK]\n\xff\n") == "[vocab.txt:2] invalid UTF-8 at byte offset 0 (0xff)");
  CHECK(load_error("vocab.txt", "[UNK]\r\n[CLS]\r\n[SEP]\r\na") == "loaded");
}

TEST_CASE("broken JSON is refused with the place") {
  CHECK(load_error("tokenizer.json", "{\n\"model\": }") ==
        "[tokenizer.json] is not valid UTF-8 JSON: parse error at line 2, column 10: syntax error while "
        "parsing "
        "value - unexpected '}'; expected '[', '{', or a literal");
  CHECK(load_error("tokenizer.json", "")
            .starts_with("[tokenizer.json] is not valid UTF-8 JSON: parse error at line 1"));
  CHECK(load_error("tokenizer.json", R"({"version": 1e999})")
            .starts_with("[tokenizer.json] is not valid UTF-8 JSON: number"));
  CHECK(load_error("tokenizer.json", "[1]") == "[tokenizer.json] wanted a JSON object, got array");
  CHECK(load_error("tokenizer.json", R"({"model": {"vocab": {"a": 1, "a": 2}}})") ==
        "[tokenizer.json] key \"a\" appears twice in one JSON object");
  CHECK(load_error("tokenizer.json", "{\"model\": " + std::string(100'000, '[') + std::string(100'000, ']') +
                                         "}") == "[tokenizer.json] JSON is nested deeper than 64 levels");
  const std::string bytes = tokenizer_json().dump();
  for (size_t length = 0; length < bytes.size(); length += 97) {
    CHECK(load_error("tokenizer.json", bytes.substr(0, length)) != "loaded");
  }
}

TEST_CASE("what is not BERT's tokenizer is refused") {
  CHECK(load_error("tokenizer.json", "{}") == "[tokenizer.json] has no normalizer: wanted BertNormalizer");
  CHECK(json_error("/model/type", "BPE") ==
        "[tokenizer.json] model \"BPE\" is not supported: wanted WordPiece, as BERT has it");
  CHECK(
      json_error("/normalizer/type", "Precompiled") ==
      "[tokenizer.json] normalizer \"Precompiled\" is not supported: wanted BertNormalizer, as BERT has it");
  CHECK(json_error("/pre_tokenizer", nullptr) ==
        "[tokenizer.json] has no pre_tokenizer: wanted BertPreTokenizer");
  CHECK(
      json_error("/post_processor/type", "RobertaProcessing") ==
      "[tokenizer.json] post_processor \"RobertaProcessing\" is not supported: wanted TemplateProcessing or "
      "BertProcessing, as BERT has it");
  CHECK(json_error("/post_processor/pair/3/Sequence/type_id", 0).find("this template is not supported") !=
        std::string::npos);
  CHECK(json_error("/normalizer/lowercase", "yes") ==
        "[tokenizer.json] \"lowercase\" must be true or false, got string");
  CHECK(json_error("/model/vocab", Json::array()) ==
        "[tokenizer.json] model.vocab must be an object with the tokens, got array");
  CHECK(json_error("/model/vocab/hello", -3) ==
        "[tokenizer.json] the id of token \"hello\" must be an integer from 0 to 67292, got -3");
  CHECK(json_error("/model/vocab/hello", 5) ==
        "[tokenizer.json] id 5 belongs to two tokens: \"hello\" and \"the\"");
  CHECK(json_error("/added_tokens/0/id", 7).find("added token \"[PAD]\" has id 7, but id 0") !=
        std::string::npos);
  CHECK(json_error("/model/unk_token", "<unk>").find("lacks the unknown token \"<unk>\"") !=
        std::string::npos);
}

TEST_CASE("BertProcessing is read like the template") {
  Json json = tokenizer_json();
  json["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}};
  const TemporaryDirectory directory;
  directory.write("tokenizer.json", json.dump());
  check_same(Tokenizer::load(directory.path()), Tokenizer::load(kDirectory));
}

TEST_CASE("save writes the files that were there with the same bytes") {
  const TemporaryDirectory directory;
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  tokenizer.save(directory.file("new/deep"));
  for (const char* name : {"tokenizer.json", "vocab.txt", "tokenizer_config.json"}) {
    CHECK(read_bytes(directory.file(std::string("new/deep/") + name)) == read_bytes(kDirectory + "/" + name));
  }
  CHECK(Json::parse(read_bytes(directory.file("new/deep/special_tokens_map.json")))["sep_token"] == "[SEP]");
  check_same(Tokenizer::load(directory.file("new/deep")), tokenizer);
}

TEST_CASE("save makes the files that were not there") {
  TokenizerSpec spec = read_tokenizer(kDirectory);
  spec.files.clear();
  spec.normalizer.lowercase = spec.normalizer.strip_accents = false;
  const Tokenizer tokenizer(spec);
  const TemporaryDirectory directory;
  tokenizer.save(directory.path());
  check_same(Tokenizer::load(directory.path()), tokenizer);
  CHECK(read_bytes(directory.file("vocab.txt")) == read_bytes(kDirectory + "/vocab.txt"));
  const Json config = Json::parse(read_bytes(directory.file("tokenizer_config.json")));
  CHECK(config["do_lower_case"] == false);
  CHECK(config["strip_accents"] == nullptr);
  // Nothing but tokenizer.json carries the added tokens; the rest must agree without it.
  std::filesystem::remove(directory.file("tokenizer.json"));
  CHECK(Tokenizer::load(directory.path()).encode("Hello Café").ids == tokenizer.encode("Hello Café").ids);
}

TEST_CASE("save to a place that cannot be written says so") {
  const TemporaryDirectory directory;
  directory.write("file", "in the way");
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  CHECK_THROWS_AS(tokenizer.save(directory.file("file/below")), Error);
  CHECK_THROWS_AS(tokenizer.save("/dev/null/below"), Error);
}

TEST_CASE("tokens by id and by text") {
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  CHECK(tokenizer.token(tokenizer.mask_id()) == "[MASK]");
  CHECK(tokenizer.token(tokenizer.pad_id()) == "[PAD]");
  CHECK(tokenizer.find("[ENT]") == static_cast<int32_t>(tokenizer.vocab_size()) - 1);
  CHECK(tokenizer.find("nowhere") == -1);
  CHECK_THROWS_WITH(tokenizer.token(-1),
                    fmt::format("[tokenizer] id -1 is not in [0, {})", tokenizer.vocab_size()).c_str());
}
