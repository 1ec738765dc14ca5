// The tokenizer against Hugging Face tokenizers (tests/golden/make_tokenizer_golden.py), and its two paths
// against each other on every Unicode scalar value.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/tokenizer_spec.h"
#include "models/tokenizer/utf8.h"
#include "tests/tokenizer_test_util.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

const std::string kDirectory = SESAME_SOURCE_DIR "/tests/golden/tokenizer";

const Json& golden() {
  static const Json json = Json::parse(read_bytes(SESAME_SOURCE_DIR "/tests/golden/tokenizer_golden.json"));
  return json;
}

Tokenizer cased_tokenizer() {
  TokenizerSpec spec = read_tokenizer(kDirectory);
  spec.normalizer.lowercase = spec.normalizer.strip_accents = false;
  return Tokenizer(spec);
}

// The same vocabulary from vocab.txt, without the tokens that were added.
Tokenizer plain_tokenizer() {
  const TemporaryDirectory directory;
  for (const char* name : {"vocab.txt", "tokenizer_config.json"}) {
    std::filesystem::copy_file(kDirectory + "/" + name, directory.file(name));
  }
  return Tokenizer::load(directory.path());
}

void check_set(const Tokenizer& tokenizer, const Json& set) {
  for (const Json& wanted : set["texts"]) {
    const auto text = wanted["text"].get<std::string>();
    check_equal(tokenizer.encode(text), wanted, text);
    check_equal(tokenizer.encode_plainly(text), wanted, text);
    std::vector<int32_t> ids{tokenizer.cls_id()};
    tokenizer.encode_ids(text, ids);
    ids.push_back(tokenizer.sep_id());
    CHECK(ids == wanted["ids"].get<std::vector<int32_t>>());
  }
  for (const Json& wanted : set["plain_special"]) {
    const auto text = wanted["text"].get<std::string>();
    check_equal(tokenizer.encode(text, {.plain_special = true}), wanted, text);
  }
  for (const Json& wanted : set["pairs"]) {
    const auto texts = wanted["texts"].get<std::vector<std::string>>();
    check_equal(tokenizer.encode_texts({texts[0], texts[1]}), wanted, texts[0] + " | " + texts[1]);
  }
  for (const Json& wanted : set["words"]) {
    const auto words = wanted["list"].get<std::vector<std::string>>();
    check_equal(tokenizer.encode_words(words), wanted, wanted["list"].dump());
  }
}

// A vocabulary of single bytes shows every byte of the normalised words in the ids.
Tokenizer byte_tokenizer(const NormalizerOptions& options) {
  std::vector<std::string> vocab{"[UNK]", "[CLS]", "[SEP]"};
  for (int b = 1; b < 256; ++b) {
    vocab.push_back(std::string(1, static_cast<char>(b)));
    vocab.push_back("##" + vocab.back());
  }
  return Tokenizer(spec_from_vocab(vocab, options, "bytes"));
}

}  // namespace

TEST_CASE("texts, pairs and words are as in Hugging Face") {
  SUBCASE("uncased") { check_set(Tokenizer::load(kDirectory), golden()["uncased"]); }
  SUBCASE("cased") { check_set(cased_tokenizer(), golden()["cased"]); }
  SUBCASE("vocab.txt") { check_set(plain_tokenizer(), golden()["vocab.txt"]); }
  SUBCASE("MiniLM") {
    const char* given = std::getenv("SESAME_MINILM");
    const std::string directory = given ? given : SESAME_SOURCE_DIR "/build/models/minilm";
    if (!std::filesystem::exists(directory)) {
      MESSAGE("skipped: no MiniLM in " << directory);
      return;
    }
    check_set(Tokenizer::load(directory), golden()["minilm"]);
  }
}

TEST_CASE("longest_first cuts as Hugging Face does") {
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  for (const Json& wanted : golden()["truncated"]) {
    const auto texts = wanted["texts"].get<std::vector<std::string>>();
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    const EncodeOptions options{.max_length = wanted["max_length"].get<size_t>()};
    check_equal(tokenizer.encode_texts(views, options), wanted, wanted["texts"].dump());
    std::vector<int32_t> ids, type_ids;
    tokenizer.encode_ids(views, options, ids, type_ids);
    CHECK(ids == wanted["ids"].get<std::vector<int32_t>>());
    CHECK(type_ids == wanted["type_ids"].get<std::vector<int32_t>>());
  }
  CHECK_THROWS_WITH(tokenizer.encode_texts({"a", "b"}, {.max_length = 2}),
                    "[tokenizer] max_length 2 is too small: [CLS] and [SEP] of 2 texts take 3");
}

TEST_CASE("windows with a stride are as in Hugging Face") {
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  size_t several = 0, refused = 0;
  for (const Json& wanted : golden()["windows"]) {
    const auto texts = wanted["texts"].get<std::vector<std::string>>();
    const EncodeOptions options{.max_length = wanted["max_length"].get<size_t>()};
    const auto stride = wanted["stride"].get<size_t>();
    if (wanted["windows"].is_null()) {
      CHECK_THROWS_AS(tokenizer.encode_windows({texts[0], texts[1]}, stride, options), Error);
      ++refused;
      continue;
    }
    const auto windows = tokenizer.encode_windows({texts[0], texts[1]}, stride, options);
    REQUIRE(windows.size() == wanted["windows"].size());
    several += windows.size() > 1;
    for (size_t i = 0; i < windows.size(); ++i)
      check_equal(windows[i], wanted["windows"][i], wanted["texts"].dump());
  }
  CHECK(several > 10);
  CHECK(refused > 10);
}

TEST_CASE("any number of texts") {
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  const Encoding three = tokenizer.encode_texts({"hello world", "a b", "won"});
  CHECK(tokens_of(tokenizer, three) == "[CLS] hello world [SEP] a b [SEP] won [SEP]");
  CHECK(three.type_ids == std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1, 1, 1});
  CHECK(three.sequences == std::vector<int32_t>{-1, 0, 0, -1, 1, 1, -1, 2, -1});
  // 5 + 2 + 1 tokens and 4 of the template: the longest text gives first.
  const Encoding cut = tokenizer.encode_texts({"a b c d e", "f g", "h"}, {.max_length = 9});
  CHECK(tokens_of(tokenizer, cut) == "[CLS] a b [SEP] f g [SEP] h [SEP]");
  const auto windows = tokenizer.encode_windows({"x", "y", "a b c d e"}, 1, {.max_length = 9});
  REQUIRE(windows.size() == 2);
  CHECK(tokens_of(tokenizer, windows[0]) == "[CLS] x [SEP] y [SEP] a b c [SEP]");
  CHECK(tokens_of(tokenizer, windows[1]) == "[CLS] x [SEP] y [SEP] c d e [SEP]");
  CHECK(windows[1].offsets[5] == TokenSpan{4, 5});
  CHECK_THROWS_WITH(tokenizer.encode_texts({}), "[tokenizer] an input needs at least one text");
  CHECK_THROWS_AS(tokenizer.encode_windows({"a b c d e f", "g h i"}, 0, {.max_length = 8}), Error);
}

TEST_CASE("every Unicode scalar value between letters") {
  const Json& sums = golden()["unicode"];
  NormalizerOptions cased{.strip_accents = false, .lowercase = false};
  std::vector<std::string> vocab;
  std::ifstream in(kDirectory + "/vocab.txt");
  for (std::string line; std::getline(in, line);) vocab.push_back(line);
  const Tokenizer uncased_tokenizer(spec_from_vocab(vocab, {}, "vocab"));
  const Tokenizer cased_tokenizer(spec_from_vocab(vocab, cased, "vocab"));
  const auto encoded = [](const Tokenizer& tokenizer) {
    return [&tokenizer](const std::string& text, Crc32& crc) {
      const Encoding encoding = tokenizer.encode(text);
      for (size_t i = 0; i < encoding.size(); ++i) {
        for (const int32_t n : {encoding.ids[i], encoding.offsets[i].begin, encoding.offsets[i].end})
          crc.add(n);
      }
    };
  };
  check_blocks(sums["uncased"], encoded(uncased_tokenizer));
  check_blocks(sums["cased"], encoded(cased_tokenizer));
  for (const std::string options : {"1111", "1100", "0010", "0001"}) {
    const NormalizerOptions normalizer{.clean_text = options[0] == '1',
                                       .handle_chinese_chars = options[1] == '1',
                                       .strip_accents = options[2] == '1',
                                       .lowercase = options[3] == '1'};
    check_blocks(sums["normalized " + options],
                 [&](const std::string& text, Crc32& crc) { crc.add(normalize_text(text, normalizer)); });
  }
}

TEST_CASE("the fast path equals the plain one") {
  for (int bits = 0; bits < 16; ++bits) {
    CAPTURE(bits);
    const Tokenizer tokenizer = byte_tokenizer({.clean_text = (bits & 1) != 0,
                                                .handle_chinese_chars = (bits & 2) != 0,
                                                .strip_accents = (bits & 4) != 0,
                                                .lowercase = (bits & 8) != 0});
    size_t differing = 0;
    for_each_block([&](size_t, const std::vector<std::string>& texts) {
      std::string all;
      for (const std::string& text : texts) all += text;
      const Encoding fast = tokenizer.encode(all);
      const Encoding plain = tokenizer.encode_plainly(all);
      differing += fast.ids != plain.ids || fast.offsets != plain.offsets || fast.words != plain.words;
    });
    CHECK(differing == 0);
  }
}

TEST_CASE("bad texts are refused with the place") {
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  const std::pair<std::string, std::string> cases[] = {
      {std::string("ab\0c", 4), "NUL at byte offset 2"},
      {"ab\xff", "invalid UTF-8 at byte offset 2 (0xff)"},
      {"[SEP] \xc3\xa9 \xc3", "invalid UTF-8 at byte offset 9 (0xc3)"},
      {"\xc0\xaf", "invalid UTF-8 at byte offset 0 (0xc0)"},
      {"a\xed\xa0\x80", "invalid UTF-8 at byte offset 1 (0xed)"},
      {"abcdefgh\xf4\x90\x80\x80", "invalid UTF-8 at byte offset 8 (0xf4)"},
      {"abcdefghij\x80", "invalid UTF-8 at byte offset 10 (0x80)"},
      {"\xf0\x9f\x98", "invalid UTF-8 at byte offset 0 (0xf0)"},
  };
  for (const Tokenizer& each : {tokenizer, plain_tokenizer()}) {
    for (const auto& [text, fault] : cases) {
      CHECK_THROWS_WITH(each.encode(text), ("[tokenizer] " + fault).c_str());
      CHECK_THROWS_WITH(each.encode_plainly(text), ("[tokenizer] " + fault).c_str());
      std::vector<int32_t> ids;
      CHECK_THROWS_AS(each.encode_ids(text, ids), Error);
      CHECK(find_text_fault(text).value_or("") == fault);
    }
  }
  CHECK_FALSE(find_text_fault("plain ascii \xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbf"));
}

TEST_CASE("one tokenizer serves several threads") {
  const Tokenizer tokenizer = Tokenizer::load(kDirectory);
  const auto wanted = tokenizer.encode("hello unaffable world, naïve 漢字").ids;
  std::vector<int> wrong(4);
  std::vector<std::thread> threads;
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i)
        count += tokenizer.encode("hello unaffable world, naïve 漢字").ids != wanted;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4));
}
