// Text out of tokens: words and marks, spaces and capitals learned from targets.
#include <doctest/doctest.h>

#include "models/tokenizer/tokenizer_spec.h"
#include "tasks/generate/surface.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::TemporaryFolder;

namespace {

// Every word of the texts in small letters (or as it is), every character as a piece that continues a word.
Tokenizer tokenizer_for(const std::vector<std::string>& texts, bool lowercase) {
  std::vector<std::string> vocab = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  const auto add = [&](const std::string& token) {
    if (std::find(vocab.begin(), vocab.end(), token) == vocab.end()) vocab.push_back(token);
  };
  for (const std::string& text : texts) {
    for (char c : text) {
      if (c == ' ' || static_cast<unsigned char>(c) >= 0x80) continue;
      if (lowercase) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      add(std::string(1, c));
      if (std::isalnum(static_cast<unsigned char>(c)) != 0) add("##" + std::string(1, c));
    }
  }
  NormalizerOptions normalizer;
  normalizer.lowercase = lowercase;
  normalizer.strip_accents = lowercase;
  return Tokenizer(spec_from_vocab(vocab, normalizer, "test"));
}

std::vector<std::int64_t> ids_of(const Tokenizer& tokenizer, const std::string& text) {
  std::vector<std::int32_t> ids;
  tokenizer.encode_ids(text, ids, true);
  return {ids.begin(), ids.end()};
}

std::vector<std::vector<std::string>> no_sources(std::size_t count) {
  return std::vector<std::vector<std::string>>(count, std::vector<std::string>{""});
}

}  // namespace

TEST_CASE("units are words and marks with their place in the text") {
  const std::string text = "Don't  go, (1.5) Ab!";
  const Tokenizer tokenizer = tokenizer_for({text}, true);
  const std::vector<Unit> units = units_of(tokenizer, text);
  std::vector<std::string> words, forms;
  std::string spaces;
  for (const Unit& unit : units) {
    words.push_back(unit.word);
    forms.push_back(unit.form);
    spaces += unit.space_before ? '_' : '.';
  }
  CHECK(words == std::vector<std::string>{"don", "'", "t", "go", ",", "(", "1", ".", "5", ")", "ab", "!"});
  CHECK(forms.front() == "Don");
  CHECK(forms[10] == "Ab");
  CHECK(spaces == "..._._...._.");
  CHECK(words_of(tokenizer, ids_of(tokenizer, text)) == words);
  CHECK(kind_of("(") == UnitKind::Opener);
  CHECK(kind_of(".") == UnitKind::Closer);
  CHECK(kind_of("\"") == UnitKind::Mark);
  CHECK(kind_of("15th") == UnitKind::Number);
  CHECK(kind_of("日") == UnitKind::Ideograph);
  CHECK(capitalized("über") == "Über");
  CHECK(capitalized("Zoé") == "Zoé");
  CHECK(capitalized("") == "");
  CHECK(normalize_spaces("  a \t b\n") == "a b");
}

TEST_CASE("spaces are learned: apostrophes, quotes that alternate, numbers, brackets") {
  const std::vector<std::string> texts = {
      "He said \"yes\" and left.",    "\"No\", said the other (a tall man).", "It isn't 3.5, it's 4.5!",
      "The \"old\" and the \"new\".", "Well, don't ask. We don't know.",      "She won't pay 2.5 (or 7.5).",
      "Is it \"here\"? It's there.",  "A \"test\" of 1.5 (one and a half)."};
  const Tokenizer tokenizer = tokenizer_for(texts, false);
  const Surface surface = Surface::learn(tokenizer, texts, no_sources(texts.size()));
  CHECK(surface.round_trip() == 1);
  CHECK(surface.learned() == "spacing");
  // What was never seen as a whole follows the same rules.
  for (const std::string text : {"\"Test\" it, don't pay 7.5.", "The \"tall\" one said (it's new)."}) {
    CHECK(surface.text(ids_of(tokenizer, text), {""}) == text);
  }
}

TEST_CASE("targets that need nothing get nothing") {
  const std::vector<std::string> texts = {"a b c", "x - y", "c , b ."};
  const Tokenizer tokenizer = tokenizer_for(texts, true);
  const Surface plain = Surface::learn(tokenizer, texts, no_sources(3));
  CHECK(plain.learned() == "nothing");
  CHECK(plain.round_trip() == 1);
  CHECK(plain.text(ids_of(tokenizer, "b , c"), {""}) == "b , c");
}

TEST_CASE("capitals come from the source, from the targets, and at the beginning of sentences") {
  const std::vector<std::string> targets = {"Yesterday we met Ann in Rome.", "In Rome it rained. We left.",
                                            "Ann came from Oslo. It rained there.",
                                            "We saw Bob there. He left Oslo.", "There we saw Rome."};
  const std::vector<std::vector<std::string>> sources = {{"we met Ann in Rome"},
                                                         {"it rained in Rome"},
                                                         {"she is Ann from Oslo"},
                                                         {"we saw Bob"},
                                                         {"saw Rome there"}};
  std::vector<std::string> all = targets;
  all.push_back("Zed");
  const Tokenizer tokenizer = tokenizer_for(all, true);
  const Surface surface = Surface::learn(tokenizer, targets, sources);
  CHECK(surface.learned() == "spacing and casing");
  CHECK(surface.round_trip() == 1);
  const std::string text = "We met Zed in Oslo. He saw Ann.";
  CHECK(surface.text(ids_of(tokenizer, text), {"we and Zed"}) == text);  // Zed was never a target
}

TEST_CASE("what was learned survives its file; a file of another kind is refused") {
  const std::vector<std::string> texts = {"Yes, we can't.", "No, they can't.", "Well, we can't, they say."};
  const Tokenizer tokenizer = tokenizer_for(texts, true);
  const Surface surface = Surface::learn(tokenizer, texts, no_sources(3));
  const TemporaryFolder folder;
  surface.save(folder.path("surface.json"));
  const Surface loaded = Surface::load(tokenizer, folder.path("surface.json"));
  CHECK(loaded.round_trip() == surface.round_trip());
  CHECK(loaded.learned() == surface.learned());
  for (const std::string& text : texts) {
    CHECK(loaded.text(ids_of(tokenizer, text), {""}) == surface.text(ids_of(tokenizer, text), {""}));
  }
  folder.write("other.json", "{\"format\": 2}");
  CHECK(contains(error_of([&] { Surface::load(tokenizer, folder.path("other.json")); }), "other.json"));
  folder.write("list.json", "[]");
  CHECK(contains(error_of([&] { Surface::load(tokenizer, folder.path("list.json")); }), "list.json"));
}
