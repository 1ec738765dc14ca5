// Text metrics against sacreBLEU and rouge_score (tests/golden/make_text_metrics_golden.py).
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tasks/metrics/bleu.h"
#include "tasks/metrics/chrf.h"
#include "tasks/metrics/rouge.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using Json = nlohmann::json;

namespace {

constexpr double kTolerance = 1e-10;

Json golden() {
  std::ifstream file(std::string(SESAME_SOURCE_DIR) + "/tests/golden/text_metrics_golden.json");
  REQUIRE(file);
  return Json::parse(file);
}

}  // namespace

TEST_CASE("the words of 13a equal sacreBLEU's") {
  const Json all = golden();
  for (const Json& one : all["tokens_13a"]) {
    const auto text = one["text"].get<std::string>();
    CAPTURE(text);
    CHECK(tokenize_13a(text) == one["tokens"].get<std::vector<std::string>>());
  }
}

TEST_CASE("BLEU, chrF and ROUGE equal sacreBLEU and rouge_score") {
  const Json all = golden();
  REQUIRE(all["cases"].size() > 10);
  for (const Json& one : all["cases"]) {
    const auto hypotheses = one["hypotheses"].get<std::vector<std::string>>();
    const auto references = one["references"].get<std::vector<std::vector<std::string>>>();
    CAPTURE(hypotheses.front());
    CAPTURE(hypotheses.size());
    CHECK(std::abs(corpus_bleu(hypotheses, references) - one["bleu"].get<double>()) < kTolerance);
    CHECK(std::abs(corpus_chrf(hypotheses, references) - one["chrf"].get<double>()) < kTolerance);
    const RougeScores rouge = rouge_scores(hypotheses, references);
    CHECK(std::abs(rouge.rouge1 - one["rouge1"].get<double>()) < kTolerance);
    CHECK(std::abs(rouge.rouge2 - one["rouge2"].get<double>()) < kTolerance);
    CHECK(std::abs(rouge.rougeL - one["rougeL"].get<double>()) < kTolerance);
  }
}

TEST_CASE("scores of nothing, and of lists that do not match") {
  CHECK(corpus_bleu({}, {}) == 0);
  CHECK(corpus_chrf({}, {}) == 0);
  CHECK(rouge_scores({}, {}).rougeL == 0);
  CHECK(contains(error_of([] { corpus_bleu({"a"}, {}); }), "1 hypotheses, references for 0"));
}
