// Metrics against scikit-learn and scipy (tests/golden/make_metrics_golden.py), and their edges.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "tasks/logging/metrics_jsonl.h"
#include "tasks/metrics/classification.h"
#include "tasks/metrics/regression.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using Json = nlohmann::json;

namespace {

constexpr double kTolerance = 1e-12;

Json golden() {
  std::ifstream file(std::string(SESAME_SOURCE_DIR) + "/tests/golden/metrics_golden.json");
  REQUIRE(file);
  return Json::parse(file);
}

void check_close(const Metrics& metrics, const Json& wanted, const std::string& name,
                 double tolerance = kTolerance) {
  CAPTURE(name);
  if (wanted[name].is_null()) {
    CHECK(std::isnan(metrics.at(name)));
  } else {
    CHECK(std::abs(metrics.at(name) - wanted[name].get<double>()) <= tolerance);
  }
}

}  // namespace

TEST_CASE("classification equals scikit-learn") {
  const Json all = golden();
  for (const Json& one : all["classification"]) {
    const auto gold = one["gold"].get<std::vector<int64_t>>(),
               predicted = one["predicted"].get<std::vector<int64_t>>();
    const int64_t classes = one["classes"];
    const Metrics metrics = classification_metrics(gold, predicted, classes);
    for (const char* name : {"accuracy", "f1", "macro_f1", "mcc"}) check_close(metrics, one, name);
    CHECK(Json(confusion_matrix(gold, predicted, classes)) == one["confusion"]);
  }
}

TEST_CASE("multi-label equals scikit-learn") {
  const Json all = golden();
  for (const Json& one : all["multi_label"]) {
    const auto gold = one["gold"].get<std::vector<uint8_t>>(),
               predicted = one["predicted"].get<std::vector<uint8_t>>();
    const Metrics metrics = multi_label_metrics(gold, predicted, one["classes"]);
    for (const char* name : {"accuracy", "micro_f1", "macro_f1"}) check_close(metrics, one, name);
    CHECK(metrics.at("f1") == metrics.at("micro_f1"));
  }
}

TEST_CASE("regression equals scipy") {
  const Json all = golden();
  for (const Json& one : all["regression"]) {
    const auto gold = one["gold"].get<std::vector<double>>(),
               predicted = one["predicted"].get<std::vector<double>>();
    const Metrics metrics = regression_metrics(gold, predicted);
    check_close(metrics, one, "pearson", 1e-9);
    check_close(metrics, one, "spearman");
    check_close(metrics, one, "mse", 1e-12 * one["mse"].get<double>());
  }
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(std::isnan(spearman(std::vector<double>{1, 2, 3}, std::vector<double>{1, nan, 3})));
}

TEST_CASE("errors") {
  const std::vector<int64_t> two{0, 1}, three{0, 1, 2}, none;
  CHECK(contains(error_of([&] { accuracy(two, three); }), "2 gold labels, 3 predictions"));
  CHECK(contains(error_of([&] { accuracy(none, none); }), "0 gold labels"));
  CHECK(contains(error_of([&] { confusion_matrix(three, three, 2); }),
                 "class numbers 2 and 2 at example 2, there are 2"));
  const std::vector<double> empty;
  CHECK(contains(error_of([&] { pearson(empty, empty); }), "0 gold values"));
  const std::vector<uint8_t> decisions{0, 1, 1};
  CHECK(contains(error_of([&] { multi_label_metrics(decisions, decisions, 2); }), "rows of 2 labels"));
}

TEST_CASE("Metrics keep their order and render as JSON") {
  Metrics metrics;
  CHECK(metrics.json() == "{}");
  metrics.set("f1", 0.5);
  metrics.set("accuracy", 0.1);
  metrics.set("pearson", std::numeric_limits<double>::quiet_NaN());
  metrics.set("f1", 1);
  metrics.set("q\"\n", 5e-5);
  CHECK(metrics.json() == "{\"f1\": 1, \"accuracy\": 0.1, \"pearson\": null, \"q\\\"\\u000a\": 5e-05}");
  CHECK(Json::parse(metrics.json())["q\"\n"] == 5e-5);
  CHECK(
      contains(error_of([&] { metrics.at("mcc"); }), "no metric \"mcc\"; there are: f1, accuracy, pearson"));
  CHECK(higher_is_better("mcc"));
  CHECK(!higher_is_better("loss"));
}

TEST_CASE("metrics.jsonl: written, cut off at a step on resume") {
  testing::TemporaryFolder folder;
  const std::string path = folder.path("metrics.jsonl");
  Metrics values;
  values.set("loss", 0.25);
  {
    MetricsLog log(path);
    log.write(1, values);
    log.write(2, values);
    log.write_evaluation(2, "dev", values);
    log.write(3, values);
  }
  const std::string first =
      "{\"step\": 1, \"loss\": 0.25}\n{\"step\": 2, \"loss\": 0.25}\n{\"step\": 2, \"dev\": {\"loss\": "
      "0.25}}\n";
  CHECK(testing::read_file(path) == first + "{\"step\": 3, \"loss\": 0.25}\n");
  std::ofstream(path, std::ios::app) << "{\"step\": 4, \"lo";  // killed while writing
  { MetricsLog(path, 2).write(3, values); }
  CHECK(testing::read_file(path) == first + "{\"step\": 3, \"loss\": 0.25}\n");
  { MetricsLog fresh(path); }
  CHECK(testing::read_file(path).empty());
  CHECK(
      contains(error_of([&] { MetricsLog log(folder.path("no/such")); }), "cannot be written: No such file"));
}
