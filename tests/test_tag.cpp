// Sentences of tagged words: readers, schemes, windows, decoding.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/random.h"
#include "tasks/tag/scheme.h"
#include "tasks/tag/tag_decoder.h"
#include "tasks/tag/tag_setup.h"
#include "tasks/tag/word_input.h"
#include "tasks/tag/word_reader.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Words = std::vector<std::string>;

WordData read(const std::string& path, WordReadOptions options = {}) { return read_words(path, options); }

WordReadOptions columns(const std::string& spec, bool need_tags = true) {
  WordReadOptions options;
  options.columns = parse_columns(spec);
  options.need_tags = need_tags;
  return options;
}

constexpr const char* kConllu =
    "# sent_id = 1\n# text = It's "
    "big\n1-2\tIt's\t_\t_\t_\t_\t_\t_\t_\t_\n1\tIt\tit\tPRON\tPRP\t_\t3\tx\t_\t_\n"
    "2\t's\tbe\tAUX\tVBZ\t_\t3\tx\t_\t_\n3\tbig\tbig\tADJ\tJJ\t_\t0\tx\t_\t_\n3.1\tnow\tnow\tADV\tRB\t_\t_\t_"
    "\t_\t_\n\n"
    "1\tYes\tyes\tINTJ\tUH\t_\t0\tx\t_\t_\n";

Transitions no_transitions(std::size_t labels) {
  return {std::vector<double>(labels, 0), std::vector<double>(labels, 0),
          std::vector<double>(labels * labels, 0)};
}

}  // namespace

TEST_CASE("CoNLL columns") {
  const TemporaryFolder folder;
  const WordData data =
      read(folder.write("a.conll",
                        "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\t\n"
                        "Peter NNP B-NP B-PER\r\n"));
  REQUIRE(data.sentences.size() == 2);
  CHECK(data.sentences[0].words == Words{"EU", "rejects"});
  CHECK(data.sentences[0].tags == Words{"B-ORG", "O"});
  CHECK(data.sentences[1].line == 7);
  CHECK(data.words == 3);
  CHECK(data.dropped.at(0).reason == "-DOCSTART-");
  const WordData other = read(folder.path("a.conll"), columns("text=1,label=-2"));
  CHECK(other.sentences[0].words == Words{"NNP", "VBZ"});
  CHECK(other.sentences[0].tags == Words{"B-NP", "B-VP"});
  // Tabs keep blanks inside of words; words alone are enough where no tags are wanted.
  CHECK(read(folder.write("b.conll", "New York\tB-LOC\n.\tO\n")).sentences[0].words ==
        Words{"New York", "."});
  WordReadOptions without;
  without.need_tags = false;
  CHECK(read(folder.write("c.conll", "one\ntwo\n"), without).sentences[0].words == Words{"one", "two"});
  const WordData joined = read(folder.write("d.conll",
                                            "\xEF\xBB\xBF"
                                            "a O\n\xEF\xBB\xBF\nb O\n"));
  CHECK(joined.sentences.size() == 2);
  CHECK(joined.dropped.at(0).count == 1);
  WordReadOptions few;
  few.limit = 1;
  CHECK(read(folder.path("a.conll"), few).sentences.size() == 1);
}

TEST_CASE("CoNLL-U") {
  const TemporaryFolder folder;
  const std::string path = folder.write("a.conllu", kConllu);
  const WordData data = read(path);
  REQUIRE(data.sentences.size() == 2);
  CHECK(data.sentences[0].words == Words{"It", "'s", "big"});
  CHECK(data.sentences[0].tags == Words{"PRON", "AUX", "ADJ"});
  CHECK(data.where(data.sentences[0], 1) == path + ":5");
  REQUIRE(data.dropped.size() == 2);
  CHECK(contains(describe(data), "1 rows left out (multi-word token, first at line 3)"));
  CHECK(contains(describe(data), "1 rows left out (empty node, first at line 7)"));
  CHECK(read(path, columns("label=xpos")).sentences[1].tags == Words{"UH"});
  CHECK(read(path, columns("text=lemma,label=4")).sentences[0].words == Words{"it", "be", "big"});
}

TEST_CASE("tagged words in JSON lines, and plain lines") {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("a.jsonl",
                   "{\"words\": [\"At\", \"six\"], \"tags\": [\"O\", \"B-T\"], \"text2\": \"When?\"}\n"
                   "{\"words\": [\"No\"], \"tags\": [\"O\"], \"text2\": \"Hungry?\"}\n");
  const WordData data = read(path);
  CHECK(data.sentences[0].contexts == Words{"When?"});
  CHECK(data.sentences[1].tags == Words{"O"});
  const std::string other =
      folder.write("b.jsonl", "{\"tokens\": [\"a\"], \"ner\": [\"O\"], \"q\": \"b\"}\n");
  const WordData renamed = read(other, columns("text=tokens,text2=q,label=ner"));
  CHECK(renamed.sentences[0].words == Words{"a"});
  CHECK(renamed.sentences[0].contexts == Words{"b"});
  WordReadOptions lines;
  lines.need_tags = false;
  const WordData plain = read(folder.write("c.txt", "two  words\tand more\n\n"), lines);
  CHECK(plain.sentences.size() == 2);
  CHECK(plain.sentences[0].words == Words{"two", "words"});
  CHECK(plain.sentences[0].contexts == Words{"and more"});
  CHECK(plain.sentences[1].words.empty());
}

TEST_CASE("tagged data that is no good is one clear line") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& name, const std::string& content, WordReadOptions options = {}) {
    const std::string path = folder.write(name, content);
    const std::string text = error_of([&] { read(path, options); });
    CHECK_FALSE(contains(text, "\n"));
    return text;
  };
  CHECK(contains(error("a.conll", "a O\nb\n"), "a.conll:2] one column (\"b\")"));
  CHECK(contains(error("a.conll", "a x O\nb O\n"), "a.conll:2] 2 columns, the rows before have 3"));
  CHECK(contains(error("a.conll", "a\tO\nb\t\n"), "a.conll:2] the tag (column -1) is empty"));
  CHECK(contains(error("a.conll", "\n\n"), "holds no sentence"));
  CHECK(contains(error("a.conll", "a O\n", columns("label=5")), "2 columns, the tag is wanted in column 5"));
  CHECK(contains(error("a.conll", "a O\n", columns("label=ner")), "'ner' is no column"));
  CHECK(contains(error("a.conllu", "1\ta\tb\n"), "a.conllu:1] 3 columns, CoNLL-U has 10"));
  CHECK(contains(error("a.conllu", "x\ta\ta\tX\t_\t_\t_\t_\t_\t_\n"), "the id is \"x\""));
  CHECK(contains(error("a.jsonl", "{\"words\": [\"a\", \"b\"], \"tags\": [\"O\"]}\n"),
                 "a.jsonl:1] 1 tags for 2 words"));
  CHECK(contains(error("a.jsonl", "{\"words\": [], \"tags\": []}\n"), "the sentence has no words"));
  CHECK(contains(error("a.jsonl", "{\"words\": [\"\"], \"tags\": [\"O\"]}\n"), "word 1 is empty"));
  CHECK(
      contains(error("a.jsonl", "{\"words\": \"a b\", \"tags\": [\"O\"]}\n"), "a list of strings is wanted"));
  CHECK(contains(error("a.jsonl", "{\"text\": [\"a\"]}\n"), "no key \"tokens\"; found: \"text\""));
  CHECK(contains(error("a.jsonl",
                       "{\"words\": [\"a\"], \"tags\": [\"O\"], \"text2\": \"b\"}\n"
                       "{\"words\": [\"a\"], \"tags\": [\"O\"]}\n"),
                 "a.jsonl:2] no key \"text2\""));
  CHECK(contains(error("a.jsonl", "[1]\n"), "not a JSON object"));
  CHECK(contains(error("a.xyz", "a O\n"), "--format conll"));
  WordReadOptions lines;
  lines.format = WordFormat::lines;
  CHECK(contains(error("a.txt", "a b\n", lines), "plain lines hold no tags"));
  WordReadOptions two;
  two.fixed_contexts = true;
  two.context_count = 1;
  CHECK(contains(error("a.conll", "a O\n", two), "0 further texts, 1 wanted"));
  CHECK(contains(error_of([] { parse_word_format("tsv"); }), "known: auto, conll"));
}

TEST_CASE("schemes are recognised") {
  const auto of = [](const TagLists& tags) { return std::string(scheme_name(recognise_scheme(tags))); };
  CHECK(of({{"B-A", "I-A", "O"}, {"B-B"}}) == "BIO");
  CHECK(of({{"I-A", "I-A", "O"}, {"I-B", "B-B"}}) == "IOB1");
  CHECK(of({{"S-A", "O", "B-A", "E-A"}}) == "BIOES");
  CHECK(of({{"U-A", "O", "B-A", "L-A"}}) == "BILOU");
  CHECK(of({{"NOUN", "VERB"}}) == "none");
  CHECK(of({{"B-A", "NOUN"}}) == "none");
  CHECK(of({{"O", "O"}}) == "none");
  CHECK(of({{"B", "I"}}) == "none");
  CHECK(of({{"B", "I", "O"}}) == "BIO");
  // One slip among many right ones.
  CHECK(of({{"B-A", "I-A", "O", "B-A"}, {"B-B", "O", "I-A"}}) == "BIO");
  for (const char* name : {"none", "IOB1", "BIO", "BIOES", "BILOU"}) {
    CHECK(scheme_name(parse_scheme(name, "here")) == std::string(name));
  }
}

TEST_CASE("only legal sequences come out of legal decoding") {
  const Words labels = {"B-A", "B-B", "E-A", "E-B", "I-A", "I-B", "O", "S-A", "S-B"};
  RandomStream random(4);
  const auto sequence = [&](Scheme scheme) {
    const Transitions legal = legal_transitions(labels, scheme);
    std::vector<double> emissions;
    for (std::size_t i = 0; i < 12 * labels.size(); ++i) emissions.push_back(4 * random.normal());
    return tag_names(best_path(emissions, legal), labels);
  };
  for (int round = 0; round < 50; ++round) {
    const Words bioes = sequence(Scheme::Bioes);
    TagParts last{'O', ""};
    for (std::size_t i = 0; i <= bioes.size(); ++i) {
      const TagParts now = i < bioes.size() ? split_tag(bioes[i]) : TagParts{'O', "_"};
      const bool open = last.prefix == 'B' || last.prefix == 'I';
      const bool continues = now.prefix == 'I' || now.prefix == 'E';
      CHECK(open == continues);
      if (open) CHECK(last.type == now.type);
      last = now;
    }
    Words bio = sequence(Scheme::Bio);
    bio.insert(bio.begin(), "O");
    for (std::size_t i = 1; i < bio.size(); ++i) {
      if (bio[i][0] == 'I') CHECK(bio[i - 1].substr(1) == bio[i].substr(1));
    }
  }
}

TEST_CASE("best path and marginals equal the list of all sequences") {
  const std::size_t k = 3, n = 4;
  RandomStream random(8);
  Transitions t = no_transitions(k);
  for (auto* part : {&t.start, &t.end, &t.move}) {
    for (double& value : *part) value = random.normal();
  }
  std::vector<double> emissions(n * k);
  for (double& value : emissions) value = random.normal();
  double z = 0, best = -1e300;
  std::vector<double> wanted(n * k, 0);
  std::vector<std::int64_t> best_y, y(n, 0);
  for (bool more = true; more;) {
    double score = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto at = static_cast<std::size_t>(y[i]);
      score += emissions[i * k + at] +
               (i == 0 ? t.start[at] : t.move[static_cast<std::size_t>(y[i - 1]) * k + at]);
    }
    score += t.end[static_cast<std::size_t>(y[n - 1])];
    z += std::exp(score);
    for (std::size_t i = 0; i < n; ++i) wanted[i * k + static_cast<std::size_t>(y[i])] += std::exp(score);
    if (score > best) best = score, best_y = y;
    std::size_t i = 0;
    while (i < n && ++y[i] == static_cast<std::int64_t>(k)) y[i++] = 0;
    more = i < n;
  }
  CHECK(best_path(emissions, t) == best_y);
  const std::vector<double> got = marginals(emissions, t);
  for (std::size_t i = 0; i < n * k; ++i) CHECK(got[i] == doctest::Approx(wanted[i] / z).epsilon(1e-10));
  CHECK(best_path({}, t).empty());
}

TEST_CASE("an ensemble averages probabilities") {
  const Words labels = {"B-A", "I-A", "O"};
  const SentenceLogits one = {3, 0, 0, 0, 2, 0}, two = {0, 0, 1, 0, 0, 9};
  const auto share = [](double x, double a, double b) {
    return std::exp(x) / (std::exp(x) + std::exp(a) + std::exp(b));
  };
  const TagDecoder free(labels, Scheme::Bio, Decode::Free);
  const DecodedSentence both = free.decode({&one, &two});
  CHECK(both.tags == std::vector<std::int64_t>{0, 2});
  CHECK(both.scores[0] == doctest::Approx((share(3, 0, 0) + share(0, 0, 1)) / 2));
  CHECK(both.scores[1] == doctest::Approx((share(0, 0, 2) + share(9, 0, 0)) / 2));
  const SentenceLogits illegal = {0, 5, 4, 0, 0, 1};  // I-A O, which BIO does not allow
  CHECK(free.decode({&illegal}).tags == std::vector<std::int64_t>{1, 2});
  CHECK(TagDecoder(labels, Scheme::Bio, Decode::Legal).decode({&illegal}).tags ==
        std::vector<std::int64_t>{2, 2});
  CHECK(free.decode({&illegal}).scores[0] > 0.7);
}

TEST_CASE("windows show every word once") {
  const Tokenizer tokenizer = Tokenizer::load(tiny_bert_directory());
  WordSentence sentence;
  for (int i = 0; i < 23; ++i) sentence.words.push_back(i % 3 == 0 ? "cat" : i % 3 == 1 ? "the" : "!");
  const WordInput whole = make_word_input(tokenizer, sentence, {.max_length = 100}, 0);
  REQUIRE(whole.windows.size() == 1);
  const std::vector<std::int64_t>& ids = whole.windows[0].ids;
  const WordInput cut = make_word_input(tokenizer, sentence, {.max_length = 16, .stride = 6}, 3);
  CHECK(cut.windows.size() > 2);
  REQUIRE(cut.places.size() == sentence.words.size());
  std::int64_t tokens = 0;
  for (std::size_t w = 0; w < cut.windows.size(); ++w) {
    CHECK(cut.windows[w].ids.size() <= 16);
    CHECK(cut.windows[w].ids.front() == tokenizer.cls_id());
    CHECK(cut.windows[w].ids.back() == tokenizer.sep_id());
    CHECK(cut.windows[w].example == 3 * 64 + static_cast<std::int64_t>(w));
    tokens += static_cast<std::int64_t>(cut.windows[w].ids.size());
  }
  CHECK(cut.tokens() == tokens);
  std::size_t before = 0;
  for (std::size_t i = 0; i < cut.places.size(); ++i) {
    const auto& place = cut.places[i];
    const auto& window = cut.windows[place.window].ids;
    CHECK(window.at(static_cast<std::size_t>(place.position)) ==
          ids.at(static_cast<std::size_t>(whole.places[i].position)));
    // At least half of the shared tokens lie around it, unless the sentence ends there.
    const auto size = static_cast<std::int64_t>(window.size());
    if (place.window > 0) CHECK(place.position - 1 >= 2);
    if (place.window + 1 < cut.windows.size()) CHECK(size - 2 - place.position >= 2);
    CHECK(place.window >= before);
    before = place.window;
  }
}

TEST_CASE("further texts are cut first, words never") {
  const Tokenizer tokenizer = Tokenizer::load(tiny_bert_directory());
  WordSentence sentence{.words = Words(6, "the"), .tags = {}, .contexts = {"is is is is is is is is is is"}};
  const WordInput one = make_word_input(tokenizer, sentence, {.max_length = 12, .stride = 2}, 0);
  REQUIRE(one.windows.size() == 1);
  CHECK(one.windows[0].ids.size() == 12);  // [CLS] 6 [SEP] 3 [SEP]
  CHECK(one.windows[0].type_ids == std::vector<std::int64_t>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1});
  sentence.words = Words(20, "the");
  const WordInput many = make_word_input(tokenizer, sentence, {.max_length = 12, .stride = 2}, 0);
  CHECK(many.windows.size() > 2);
  CHECK(many.places.size() == 20);
  for (const TokenSequence& window : many.windows) {
    CHECK(window.ids.size() <= 12);
    // A quarter of the nine tokens is left to the text.
    CHECK(std::count(window.type_ids.begin(), window.type_ids.end(), 1) == 3);
  }
  // A word without tokens is read as [UNK]; a sentence without words has no window.
  const WordInput odd = make_word_input(tokenizer, {.words = {"the", "\x01", "is"}}, {}, 0);
  CHECK(odd.unknown_words == 1);
  CHECK(odd.windows[0].ids[2] == tokenizer.unk_id());
  CHECK(make_word_input(tokenizer, WordSentence{}, {}, 0).windows.empty());
  CHECK(
      contains(error_of([] { check_stride({.max_length = 16, .stride = 14}, 0); }), "0 to 13 are possible"));
  check_stride({.max_length = 16, .stride = 13}, 0);
}
