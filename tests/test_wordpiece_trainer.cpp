// Vocabularies made from texts.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "autograd/random.h"
#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/wordpiece_trainer.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

std::vector<std::string> vocabulary(const std::vector<std::string>& texts,
                                    const WordPieceTrainerOptions& options) {
  WordPieceTrainer trainer(options);
  for (const std::string& text : texts) trainer.add(text);
  return trainer.train().vocab;
}

const std::vector<std::string> kTexts = {
    "low low low low low lower lower newest newest newest newest newest newest widest widest widest",
    "Müller sät Äpfel, Müller isst sie. Die Äpfel waren süß!"};

// The algorithm without any bookkeeping: every pair is counted anew for each join.
std::vector<std::string> plainly(const std::map<std::string, int>& words, std::size_t size,
                                 int min_frequency) {
  std::vector<std::string> vocab = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::vector<std::pair<std::vector<std::string>, int>> split;
  std::vector<std::string> starts, continuations;
  for (const auto& [word, count] : words) {
    std::vector<std::string> pieces;
    for (std::size_t i = 0; i < word.size(); ++i) pieces.push_back((i > 0 ? "##" : "") + word.substr(i, 1));
    for (const std::string& piece : pieces) {
      starts.push_back(piece.substr(piece.size() - 1));
      if (piece.size() > 1) continuations.push_back(piece);
    }
    split.emplace_back(pieces, count);
  }
  for (auto* list : {&starts, &continuations}) {
    std::sort(list->begin(), list->end());
    list->erase(std::unique(list->begin(), list->end()), list->end());
    vocab.insert(vocab.end(), list->begin(), list->end());
  }
  const auto id = [&](const std::string& piece) {
    return std::find(vocab.begin(), vocab.end(), piece) - vocab.begin();
  };
  while (vocab.size() < size) {
    std::map<std::pair<std::ptrdiff_t, std::ptrdiff_t>, int> pairs;
    for (const auto& [pieces, count] : split) {
      for (std::size_t i = 0; i + 1 < pieces.size(); ++i) pairs[{id(pieces[i]), id(pieces[i + 1])}] += count;
    }
    const auto best = std::max_element(pairs.begin(), pairs.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == pairs.end() || best->second < min_frequency) break;
    const std::string a = vocab[static_cast<std::size_t>(best->first.first)],
                      b = vocab[static_cast<std::size_t>(best->first.second)], joined = a + b.substr(2);
    if (std::find(vocab.begin(), vocab.end(), joined) == vocab.end()) vocab.push_back(joined);
    for (auto& [pieces, count] : split) {
      for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
        if (pieces[i] != a || pieces[i + 1] != b) continue;
        pieces[i] = joined;
        pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return vocab;
}

}  // namespace

TEST_CASE("the joins are those of the plain algorithm, in its order") {
  const std::map<std::string, int> words = {{"low", 5},      {"lower", 2},   {"newest", 6}, {"widest", 3},
                                            {"banana", 4},   {"nana", 3},    {"aaaa", 3},   {"aaa", 2},
                                            {"abababab", 2}, {"elephant", 1}};
  std::string text;
  for (const auto& [word, count] : words) {
    for (int i = 0; i < count; ++i) text += word + " ";
  }
  for (const int min_frequency : {1, 2, 3}) {
    for (const std::int64_t size : {40, 50, 1000}) {
      const auto found = vocabulary({text}, {.vocab_size = size, .min_frequency = min_frequency});
      CHECK(found == plainly(words, static_cast<std::size_t>(size), min_frequency));
    }
  }
}

TEST_CASE("special tokens first, then characters; whole words at last") {
  const auto vocab = vocabulary(kTexts, {.vocab_size = 200});
  CHECK(std::vector<std::string>(vocab.begin(), vocab.begin() + 5) ==
        std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"});
  for (const char* token : {"!", ",", ".", "D", "M", "Ä", "ß", "##ß", "newest", "Müller", "Äpfel"}) {
    CHECK_MESSAGE(std::find(vocab.begin(), vocab.end(), token) != vocab.end(), std::string(token),
                  " is missing");
  }
  CHECK(std::find(vocab.begin(), vocab.end(), "##,") == vocab.end());  // punctuation is a word of its own
  CHECK(std::find(vocab.begin(), vocab.end(), "isst") ==
        vocab.end());  // its pairs occur once: min_frequency is 2
  CHECK(vocab.size() < 200);
}

TEST_CASE("the order of the texts does not matter") {
  std::vector<std::string> backwards(kTexts.rbegin(), kTexts.rend());
  CHECK(vocabulary(kTexts, {.vocab_size = 60}) == vocabulary(backwards, {.vocab_size = 60}));
}

TEST_CASE("rare characters beyond the alphabet are left out") {
  const auto vocab = vocabulary({"aaa aab ccc"}, {.vocab_size = 100, .min_frequency = 1, .alphabet = 2});
  CHECK(std::find(vocab.begin(), vocab.end(), "c") != vocab.end());
  CHECK(std::find(vocab.begin(), vocab.end(), "b") == vocab.end());
}

TEST_CASE("uncased on request, saved and loaded as a tokenizer") {
  WordPieceTrainer trainer({.vocab_size = 100, .normalizer = {}});
  for (const std::string& text : kTexts) trainer.add(text);
  const TokenizerSpec spec = trainer.train();
  CHECK(std::find(spec.vocab.begin(), spec.vocab.end(), "muller") != spec.vocab.end());
  for (const bool cased : {true, false}) {
    WordPieceTrainerOptions options{.vocab_size = 100};
    if (!cased) options.normalizer = {};
    WordPieceTrainer again(options);
    for (const std::string& text : kTexts) again.add(text);
    const Tokenizer made(again.train());
    const TemporaryFolder folder;
    made.save(folder.path());
    const Tokenizer loaded = Tokenizer::load(folder.path());
    CHECK(loaded.vocab_size() == made.vocab_size());
    CHECK(loaded.encode("Müller isst Äpfel.").ids == made.encode("Müller isst Äpfel.").ids);
    CHECK(loaded.cls_id() == 2);
    CHECK(loaded.sep_id() == 3);
    CHECK(loaded.find(cased ? "Müller" : "muller") > 4);
  }
}

TEST_CASE("errors") {
  CHECK(contains(error_of([] { WordPieceTrainer({.vocab_size = 5}); }), "5 entries"));
  CHECK(contains(error_of([] { WordPieceTrainer({.alphabet = 0}); }), "alphabet 0"));
  WordPieceTrainer trainer({});
  CHECK(contains(error_of([&] { trainer.train(); }), "no text"));
  CHECK(contains(error_of([&] { trainer.add("a\xff"); }), "invalid UTF-8 at byte offset 1"));
  CHECK(contains(error_of([&] { trainer.add(std::string_view("a\0b", 3)); }), "NUL"));
}

TEST_CASE("multi30k's German: the vocabulary of Hugging Face's trainer") {
  const std::string data = std::string(SESAME_SOURCE_DIR) + "/../shared/data/multi30k/train.de";
  std::ifstream file(data);
  if (!file) {
    MESSAGE("skipped: no data at ", data);
    return;
  }
  WordPieceTrainer trainer({.vocab_size = 8000});
  for (std::string line; std::getline(file, line);) trainer.add(line);
  std::vector<std::string> vocab = trainer.train().vocab;
  std::sort(vocab.begin(), vocab.end());
  std::string text;
  for (const std::string& token : vocab) text += token + "\n";
  CHECK(vocab.size() == 8000);
  // Of the sorted vocabulary that tokenizers 0.22.2 makes with WordPieceTrainer(vocab_size=8000,
  // min_frequency=2, limit_alphabet=1000, special_tokens=[...]), BertNormalizer(lowercase=False,
  // strip_accents=False), BertPreTokenizer.
  CHECK(hash_text(text) == 0x5b1ee397724de4ef);
}
