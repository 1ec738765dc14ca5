// The modes that a study compares, the learned mix of layers, and the pictures of both.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "golden_model.h"
#include "models/io/strict_json.h"
#include "tasks/report/axes.h"
#include "tasks/study/modes.h"
#include "tasks/study/page.h"
#include "tasks/study/point_figure.h"
#include "tasks/study/store.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::contains;

namespace {

struct Toy {
  Toy() {
    std::string rows = "text\tlabel\n";
    for (int i = 0; i < 4; ++i) rows += "the good\tyes\nnot a\tno\nis good b\tyes\nnot\tno\n";
    folder.write("toy/train.tsv", rows);
    folder.write("toy/dev.tsv", rows);
    options = {.model = testing::tiny_bert_directory(),
               .out = folder.path("out"),
               .data = {"toy=" + folder.path("toy") + ",max-length=16"},
               .examples = false,
               .seeds = 2,
               .steps = 2,
               .batch_size = 4};
  }
  std::vector<nlohmann::ordered_json> results(const char* name) const {
    return ResultFile(options.out, name).all();
  }
  testing::TemporaryFolder folder;
  StudyOptions options;
};

nlohmann::ordered_json mode_result(const std::vector<nlohmann::ordered_json>& results,
                                   const std::string& mode) {
  for (const auto& result : results) {
    if (result.at("mode") == mode) return result;
  }
  FAIL("no mode " << mode);
  return {};
}

}  // namespace

TEST_CASE("modes train what their names say, on the same examples, and store what tools/train does") {
  Toy toy;
  run_study("modes", toy.options);
  const auto results = toy.results("modes");
  const auto trained = [&](const std::string& mode) {
    return mode_result(results, mode).at("trained").get<std::int64_t>();
  };
  const auto stored = [&](const std::string& mode) {
    return mode_result(results, mode).at("stored_bytes").get<std::int64_t>();
  };
  // Width 32, three classes become two; a bottleneck of n has 2 * 32 * n weights and n + 32 biases.
  const std::int64_t head = 32 * 2 + 2, all = mode_result(results, "full").at("parameters");
  const auto adapter = [](std::int64_t n) { return 2 * 32 * n + n + 32; };
  const std::int64_t norms = (1 + 2 * 2) * 2 * 32;
  CHECK(trained("frozen") == head);
  CHECK(trained("frozen, mix of layers") == head + 3 + 1);
  CHECK(trained("adapter 8") == head + 4 * adapter(8) + norms);
  CHECK(trained("adapter 64, everywhere") == head + 4 * adapter(64));
  CHECK(trained("adapter 64, after attention") == head + 2 * adapter(64));
  CHECK(trained("adapter 64, upper half") == head + 2 * adapter(64));
  CHECK(trained("LoRA 8") == head + 2 * 2 * (2 * 32 * 8));
  CHECK(trained("full") == all);
  CHECK(trained("top 1 of 2 layers") < all / 2);
  CHECK(stored("adapter 2") < stored("adapter 256"));
  CHECK(stored("full") > 4 * all);
  for (const auto& result : results) {
    CHECK(result.at("train_examples") == 8);  // 2 updates of 4
    CHECK(result.at("steps") == (result.at("family") == kFrozenTrunk ? 2 * kFrozenPasses : 2));
  }
  // Both seeds of all modes; a second call finds them all.
  const std::string before = testing::read_file(toy.folder.path("out/modes.jsonl"));
  CHECK(results.size() == 2 * tuning_modes({.task = "classify"}, 2).size());
  run_study("modes", toy.options);
  CHECK(testing::read_file(toy.folder.path("out/modes.jsonl")) == before);
}

TEST_CASE("modes differ in their settings, and a set of words has no pooling of texts") {
  const Toy toy;
  const StudySet set = study_sets(toy.options).at(0);
  std::set<std::string> settings, names;
  for (const TuningMode& mode : tuning_modes(set.run, 6)) {
    settings.insert(mode_run(set, mode, 5, 1).settings());
    names.insert(mode.name);
    if (mode.family == kTopLayers) CHECK(mode.options.trainer.lr == set.run.trainer.lr);
  }
  CHECK(settings.size() == tuning_modes(set.run, 6).size());
  CHECK(names.size() == settings.size());
  CHECK(names.contains("top 2 of 6 layers"));
  CHECK(tuning_modes({.task = "tag"}, 6).size() == names.size() - 1);
  CHECK(frozen_mode({.task = "classify"}).options.pool == "mean");
  CHECK(frozen_mode({.task = "tag"}).name == "frozen");
}

TEST_CASE("a mix of layers is learned, and one model serves all seeds as one for each would") {
  Toy toy;
  run_study("layers", toy.options);
  const auto together = toy.results("layers");
  REQUIRE(together.size() == 2);
  for (const auto& result : together) {
    const std::vector<double> weights = result.at("layer_weights");
    REQUIRE(weights.size() == 3);
    CHECK(weights[0] + weights[1] + weights[2] == doctest::Approx(1));
    CHECK(std::abs(weights[0] - 1.0 / 3) + std::abs(weights[2] - 1.0 / 3) > 0.02);  // it has moved
  }
  CHECK(together[0].at("layer_weights") != together[1].at("layer_weights"));
  // The second seed alone: its own model, its own features.
  toy.folder.write("out/layers.jsonl",
                   "{\"study\":\"layers\",\"format\":1}\n" + json_text(together[0]) + "\n");
  run_study("layers", toy.options);
  const std::vector<double> alone = toy.results("layers").at(1).at("layer_weights");
  for (std::size_t j = 0; j < alone.size(); ++j) {
    CHECK(alone[j] == doctest::Approx(together[1].at("layer_weights")[j].get<double>()).epsilon(1e-5));
  }
}

TEST_CASE("the mean layer of weights") {
  CHECK(mean_layer({1, 0, 0}) == 0);
  CHECK(mean_layer({0.25, 0.5, 0.25}) == doctest::Approx(1));
  CHECK(mean_layer({0, 0, 0, 1}) == 3);
}

TEST_CASE("scores that lie within the noise of the data decide nothing") {
  CHECK(sampling_margin(0.5, 200) == doctest::Approx(0.1));
  CHECK(sampling_margin(50, 200) == doctest::Approx(10));
  CHECK(sampling_margin(1, 200) == 0);
  CHECK(close_to(0.80, 0.81, 0.98, 0.05) == Verdict::Agrees);
  CHECK(close_to(0.75, 0.81, 0.98, 0.05) == Verdict::Mixed);
  CHECK(close_to(0.70, 0.81, 0.98, 0.05) == Verdict::Differs);
}

TEST_CASE("a set may be for some subcommands only") {
  Toy toy;
  toy.options.data.push_back("other=" + toy.folder.path("toy") + ",studies=table+modes");
  CHECK(study_sets(toy.options, "curves", 300).size() == 1);
  CHECK(study_sets(toy.options, "table", 0).size() == 2);
  CHECK(study_sets(toy.options, "curves", 300).at(0).run.dev_limit == 300);
  toy.options.dev_limit = 7;
  CHECK(study_sets(toy.options, "table", 0).at(0).run.dev_limit == 7);
  toy.options.data.push_back("third=" + toy.folder.path("toy") + ",studies=tables");
  CHECK(contains(testing::error_of([&] { study_sets(toy.options); }), "tables"));
}

TEST_CASE("a logarithmic axis gives equal ratios equal lengths") {
  const Axis axis = make_log_axis({10, 1000}, 0, 600);
  CHECK(axis.pixel(100) - axis.pixel(10) == doctest::Approx(axis.pixel(1000) - axis.pixel(100)));
  CHECK(axis.pixel(10) > 0);
  CHECK(axis.pixel(1000) < 600);
  const Frame frame{.width = 600, .height = 100, .x = axis, .y = make_axis({0, 1}, 80, 10, true)};
  const std::string svg = draw_axes(frame, "x", "y");
  for (const char* tick : {">10<", ">100<", ">1k<"}) CHECK_MESSAGE(contains(svg, tick), tick);
}

TEST_CASE("labels of points keep off each other and inside") {
  // Four points in a heap, one at each end.
  const std::vector<std::pair<double, double>> points = {{200, 100}, {206, 100}, {203, 106},
                                                         {200, 106}, {4, 50},    {398, 50}};
  const auto labels = place_labels(points, {60, 60, 60, 60, 60, 60}, 0, 400);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CHECK(labels[i].x >= 0);
    CHECK(labels[i].x + labels[i].width <= 400);
    for (std::size_t j = 0; j < i; ++j) CHECK_FALSE(labels[i].overlaps(labels[j]));
  }
  const PointFigure figure{
      .title = "t",
      .x_label = "x",
      .y_label = "y",
      .series = {{.name = "a<b", .line = true, .points = {{.x = 1, .y = 0.5, .label = "p"}}}}};
  const std::string svg = point_figure(figure);
  CHECK(contains(svg, "a&lt;b"));
  CHECK_FALSE(contains(svg, "nan"));
}
