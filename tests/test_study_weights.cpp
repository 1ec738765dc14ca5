// Points, directions and surfaces in the space of the weights; the numbers that describe a basin.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "golden_model.h"
#include "tasks/study/loss_surface.h"
#include "tasks/study/plane.h"
#include "tasks/study/rollback.h"

using namespace sesame;

namespace {

// Two weights a and b with the loss (a - 1)^2 + 10 (b - 2)^2, whatever the examples.
struct Valley : Module {
  Valley() {
    a = Tensor::zeros({1, 1});
    b = Tensor::zeros({1});
    register_parameter("a", a);
    register_parameter("b", b);
  }
  Tensor a, b;
};

struct ValleyTask : Task {
  Module& model() override { return valley; }
  std::int64_t train_size() const override { return 10; }
  std::int64_t train_length(std::int64_t) const override { return 5; }
  double loss_terms(std::span<const std::int64_t> examples) const override {
    return static_cast<double>(examples.size());
  }
  LossPart loss(std::span<const std::int64_t> examples, std::int64_t, double) override {
    CHECK_FALSE(valley.training());
    CHECK_FALSE(grad_enabled());
    seen = {examples.begin(), examples.end()};
    const double x = valley.a.item() - 1, y = valley.b.item() - 2;
    return {Tensor::scalar(x * x + 10 * y * y), 5};
  }
  Valley valley;
  std::vector<std::int64_t> seen;
};

Weights point(float a, float b) {
  return {Tensor::from(std::vector<float>{a}, {1, 1}), Tensor::from(std::vector<float>{b})};
}

bool same_bits(const Weights& a, const Weights& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = a[i].to_vector<float>(), y = b[i].to_vector<float>();
    if (x.size() != y.size() || std::memcmp(x.data(), y.data(), x.size() * sizeof(float)) != 0) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEST_CASE("a surface is measured where it says, and leaves the weights as they were") {
  ValleyTask task;
  set_weights(task.valley, point(0.1f, -0.3f));
  const Weights before = copy_weights(task.valley);
  const LossProbe probe(task, 20);
  CHECK(probe.examples() == 4);
  const LossSurface surface =
      measure_plane(probe, nullptr, point(1, 2), point(1, 0), {-1, 0, 2}, point(0, 1), {0, 0.5}, {});
  CHECK(std::set<std::int64_t>(task.seen.begin(), task.seen.end()).size() == 4);  // no example twice
  CHECK(*std::max_element(task.seen.begin(), task.seen.end()) < 10);
  const std::vector<std::int64_t> first = task.seen;
  LossProbe(task, 20).loss();
  CHECK(task.seen == first);
  CHECK(LossProbe(task, 1000).examples() == 10);
  CHECK(surface.dev.empty());
  const double expected[] = {1, 0, 4, 3.5, 2.5, 6.5};
  REQUIRE(surface.train.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(surface.train[i] == doctest::Approx(expected[i]));
  CHECK(same_bits(copy_weights(task.valley), before));
  CHECK(task.valley.training());

  ValleyTask other;
  const LossProbe dev(other, 5);
  const LossSurface line = measure_line(probe, &dev, point(0, 2), point(1, 0), {0, 1}, {});
  CHECK(line.train == line.dev);
  CHECK(line.train[0] == doctest::Approx(1));
}

TEST_CASE("width, curvature and share of a known valley") {
  const std::vector<double> x = even_steps(-0.5, 1.5, 21);
  CHECK(x[5] == doctest::Approx(0));
  CHECK(x[15] == doctest::Approx(1));
  std::vector<double> loss;
  for (const double v : x) loss.push_back(3 * (v - 1) * (v - 1) + 0.2);
  CHECK(curvature(x, loss, 1) == doctest::Approx(6));
  CHECK(basin_width(x, loss, 0.2 + 3 * 0.09, 1) == doctest::Approx(0.6));
  CHECK(basin_width(x, loss, 0.1, 1) == 0);                   // above the level at the solution
  CHECK(basin_width(x, loss, 100, 1) == doctest::Approx(2));  // cut by the ends
  std::vector<double> half = loss;
  half[16] = HUGE_VAL;  // a loss that is no number ends the basin at the last good point
  CHECK(basin_width(x, half, 0.5, 1) < basin_width(x, loss, 0.5, 1));
  CHECK(share_below({1, 2, 3, HUGE_VAL}, 2) == doctest::Approx(0.5));
}

TEST_CASE("filters of a random direction are as long as those of the weights") {
  const Weights weights = {Tensor::from(std::vector<float>{3, 4, 0, 0, 1, 0}, {3, 2}),
                           Tensor::from(std::vector<float>{5, 6})};
  const Weights direction = filter_normalised(weights, 7);
  const auto d = direction[0].to_vector<float>();
  CHECK(std::hypot(d[0], d[1]) == doctest::Approx(5));
  CHECK(std::hypot(d[2], d[3]) == doctest::Approx(0));
  CHECK(std::hypot(d[4], d[5]) == doctest::Approx(1));
  CHECK(direction[1].to_vector<float>() == std::vector<float>{0, 0});
  CHECK(same_bits(direction, filter_normalised(weights, 7)));
  CHECK_FALSE(same_bits(direction, filter_normalised(weights, 8)));
  CHECK(norm(weights) == doctest::Approx(std::sqrt(9.0 + 16 + 1 + 25 + 36)));
}

TEST_CASE("places in a plane: distances alike in both directions, the rest beside it") {
  SolutionPlane plane{
      .start = point(1, 1), .along = point(2, 0), .across = point(0, 2), .unit = 2, .second = {}};
  const SolutionPlane::Place place = plane.place(point(2, 5));
  CHECK(place.x == doctest::Approx(0.5));
  CHECK(place.y == doctest::Approx(2));
  CHECK(place.beside == doctest::Approx(0));
  plane.across = point(0, 0);
  CHECK(plane.place(point(2, 5)).beside == doctest::Approx(2));
}

TEST_CASE("layer groups hold every parameter of the trunk once; set back restores bit for bit") {
  const BertConfig config = read_bert_config(testing::tiny_bert_directory());
  testing::GoldenClassifier model(config, 3);
  init_bert_model(model, config, 5);
  const auto parameters = model.parameters();
  const std::vector<LayerGroup> groups = layer_groups(model);
  std::vector<std::string> names;
  std::vector<int> times(parameters.size(), 0);
  for (const LayerGroup& group : groups) {
    names.push_back(group.name);
    if (group.name == "the whole trunk") continue;
    for (const std::size_t i : group.members) ++times[i];
  }
  CHECK(names == std::vector<std::string>{"embeddings", "layer 1", "layer 2", "pooler", "the whole trunk"});
  for (std::size_t i = 0; i < times.size(); ++i) {
    CHECK_MESSAGE(times[i] == (parameters[i].name.starts_with("bert.") ? 1 : 0), parameters[i].name);
  }
  const Weights start = copy_weights(model);
  Weights moved;
  for (const Tensor& tensor : start) moved.push_back(tensor.clone().fill_(0.25));
  set_weights(model, moved);
  set_back(model, groups[1].members, start);
  CHECK_FALSE(same_bits(copy_weights(model), moved));
  set_back(model, groups[1].members, moved);
  CHECK(same_bits(copy_weights(model), moved));
  set_weights(model, start);
  CHECK(same_bits(copy_weights(model), start));
}
