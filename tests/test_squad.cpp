// SQuAD's scores: normalisation as the official scripts (Python) do it, thresholds, and the published
// predictions.
#include <doctest/doctest.h>

#include <filesystem>

#include "tasks/extract/extract_predictor.h"
#include "tasks/metrics/python_text.h"
#include "tasks/metrics/squad.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Values of evaluate-v1.1.py's normalize_answer under Python 3.11.
struct Normalized {
  const char *text, *wanted;
};
constexpr Normalized kNormalized[] = {
    {"The  Quick, brown-fox!", "quick brownfox"},
    {"A an THE", ""},
    {"U.S.A.", "usa"},
    {"theatre a-n", "theatre"},
    {"\u201cThe\u201d Beatles", "\u201c \u201d beatles"},
    {"ΟΔΟΣ Σ ΣΑΣ", "οδος σ σας"},
    {"ΟΔΟΣ. Α.Σ.", "οδος ας"},
    {"İstanbul", "i\u0307stanbul"},
    {"a\u0301 the\u0301re", "\u0301 \u0301re"},  // a combining mark is no letter for \b
    {"the½ a² ½a", "the½ a² ½a"},                // a fraction is
    {"x\u00a0y\u2003z\u3000w", "x y z w"},
    {"a\u200bb the\u200bx", "\u200bb \u200bx"},
    {"x\x1c"
     "y\u0085z",
     "x y z"},
    {"\u1680the\u2028an\u202f"
     "end",
     "end"},
    {"ǅ ẞ Ⅷ", "ǆ ß ⅷ"},
    {"Ⓐ the Ⓐ", "ⓐ ⓐ"},
    {"a_the", "athe"},
    {"数 the 据", "数 据"},
    {"ÀÉ the—an–a", "àé — –"},
};

std::string data_folder() {
  const std::string folder = std::string(SESAME_SOURCE_DIR) + "/../shared/data/squad";
  if (std::filesystem::exists(folder)) return folder;
  MESSAGE("skipped: no SQuAD data at ", folder);
  return "";
}

}  // namespace

TEST_CASE("answers are normalised as in Python") {
  for (const Normalized& c : kNormalized) CHECK(normalize_answer(c.text) == c.wanted);
}

TEST_CASE("character classes of Python 3.11 (Unicode 14)") {
  std::int64_t words = 0, spaces = 0;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    words += python_is_word(c);
    spaces += python_is_space(c);
  }
  CHECK(words == 133548);
  CHECK(spaces == 29);
}

TEST_CASE("exact match and F1 of single answers") {
  CHECK(exact_match("The Denver Broncos.", "denver broncos") == 1);
  CHECK(exact_match("Denver", "Denver Broncos") == 0);
  CHECK(answer_f1("the big red dog", "a red dog", SquadVersion::v1) == doctest::Approx(0.8));
  CHECK(answer_f1("red red", "red", SquadVersion::v1) == doctest::Approx(2.0 / 3));
  CHECK(answer_f1("cat", "dog", SquadVersion::v2) == 0);
  // Nothing left of either: the scripts differ.
  CHECK(answer_f1("the", "a", SquadVersion::v1) == 0);
  CHECK(answer_f1("the", "a", SquadVersion::v2) == 1);
  CHECK(answer_f1("the", "cat", SquadVersion::v2) == 0);
}

TEST_CASE("the best gold answer counts, missing predictions count as wrong") {
  const std::vector<SquadItem> items = {
      {.gold = {"Santa Clara", "Santa Clara, California"}, .predicted = "Santa Clara California"},
      {.gold = {"gold"}, .predicted = std::nullopt}};
  const Metrics metrics = squad_metrics(items, SquadVersion::v1);
  CHECK(metrics.at("exact_match") == 50);
  CHECK(metrics.at("f1") == 50);
  CHECK_FALSE(metrics.has("HasAns_f1"));
}

TEST_CASE("the threshold that separates questions without an answer") {
  const std::vector<SquadItem> items = {{.gold = {"x"}, .predicted = "x", .no_answer = -3},
                                        {.gold = {}, .predicted = "y", .no_answer = 2},
                                        {.gold = {"z"}, .predicted = "z", .no_answer = 1},
                                        {.gold = {}, .predicted = "w", .no_answer = 5}};
  const Threshold best = best_threshold(items, {1, 0, 1, 0});
  CHECK(best.score == 100);
  CHECK(best.value == 1);
  const Metrics metrics = squad_metrics(items, SquadVersion::v2, best.value);
  for (const char* name :
       {"exact_match", "f1", "HasAns_exact", "HasAns_f1", "NoAns_exact", "NoAns_f1", "best_f1"}) {
    CHECK(metrics.at(name) == 100);
  }
  CHECK(metrics.at("best_f1_thresh") == 1);
  // Every answer is wrong: none at all is best, and the threshold refuses all of them.
  const Threshold none = best_threshold(items, {0, 0, 0, 0});
  CHECK(none.score == 50);
  CHECK(none.value < -3);
  CHECK(squad_metrics(items, SquadVersion::v2, 0.0).at("NoAns_exact") == 100);
  CHECK(squad_metrics(items, SquadVersion::v2, 10.0).at("NoAns_exact") == 0);
}

TEST_CASE("published predictions get their published scores") {
  const std::string folder = data_folder();
  if (folder.empty()) return;
  struct Reference {
    const char *file, *data;
    double exact, f1;
  };
  const Reference references[] = {
      {"1.1__BERT_ensemble_Google_AI_Language", "dev-v1.1", 86.2062, 92.1956},
      {"1.1__r_net_ensemble_Microsoft_Research_Asia", "dev-v1.1", 82.4693, 88.4779},
      {"1.1__SLQA_ensemble_Alibaba_iDST_NLP", "dev-v1.1", 81.9489, 88.3839},
      {"1.1__Match_LSTM_with_Ans_Ptr_Boundary_Ensemble_Singapore_Management_University", "dev-v1.1", 67.6348,
       76.7556},
      {"1.1__Logistic_Regression_Baseline_Stanford_University", "dev-v1.1", 40.1419, 50.9815},
      {"v2.0__BERT_single_model_Google_AI_Language", "dev-v2.0", 78.7417, 81.7753},
      {"v2.0__nlnet_single_model_Microsoft_Research_Asia", "dev-v2.0", 75.8275, 78.7778},
      {"v2.0__BiDAF_Self_Attention_ELMo_single_model_Allen_Institute_for_Artificial_Intelligence_modified_by_"
       "Stanford",
       "dev-v2.0", 65.7037, 67.8765}};
  for (const Reference& r : references) {
    CAPTURE(r.file);
    const Metrics metrics =
        score_extract({.predictions = fmt::format("{}/reference_predictions/{}.json.gz", folder, r.file),
                       .data = fmt::format("{}/{}.json.gz", folder, r.data)});
    CHECK(fmt::format("{:.4f}", metrics.at("exact_match")) == fmt::format("{:.4f}", r.exact));
    CHECK(fmt::format("{:.4f}", metrics.at("f1")) == fmt::format("{:.4f}", r.f1));
    CHECK(metrics.has("NoAns_f1") == (std::string(r.data) == "dev-v2.0"));
  }
}

TEST_CASE("files of predictions") {
  const TemporaryFolder folder;
  const std::string data = folder.write(
      "dev.jsonl",
      R"({"id": "1", "question": "q", "context": "a cat", "answers": {"text": ["cat"], "answer_start": [2]}})"
      "\n"
      R"({"id": "2", "question": "q", "context": "a dog", "answers": {"text": ["dog"], "answer_start": [2]}})"
      "\n");
  const auto score = [&](const std::string& name, const std::string& content) {
    return score_extract({.predictions = folder.write(name, content), .data = data});
  };
  CHECK(score("p.json", "{\n \"2\": \"dog\",\n \"1\": \"cat\"}").at("exact_match") == 100);
  CHECK(score("p.json", "{\"2\": \"dog\"}").at("exact_match") == 50);
  CHECK(score("p.jsonl", "{\"answer\": \"cat\"}\n{\"answer\": \"cow\"}\n").at("exact_match") == 50);
  CHECK(score("p.jsonl", "{\"id\": \"2\", \"answer\": \"dog\"}\n{\"id\": \"1\", \"answer\": \"cat\"}\n")
            .at("f1") == 100);
  const auto refused = [&](const std::string& content, const std::string& part) {
    const std::string error = error_of([&] { score("p.json", content); });
    CAPTURE(error);
    CHECK(contains(error, part));
  };
  refused("{\"9\": \"dog\"}", "no id occurs in both");
  refused("{\"1\": 3}", "question 1");
  refused("[1]", "object");
  refused("{\"answer\": \"cat\"}\n", "has 1 predictions");
  refused("{\"answer\": \"cat\"}\n{\"reply\": 1}\n", "p.json:2");
  refused("{\"1\": \"cat\"", "JSON");
}
