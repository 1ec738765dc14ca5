#include <limits>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

Tensor composed_softmax(const Tensor& x, int axis) {
  const Tensor e = exp(x - max(x, axis, true));
  return e / sum(e, {axis}, true);
}

std::vector<OpCase> cases_for(const char* op, Tensor (*function)(const Tensor&, int), bool log) {
  std::vector<OpCase> cases;
  for (int axis : {0, 1, -1}) {
    cases.push_back({.op = op,
                     .what = axis == 0   ? "first axis"
                             : axis == 1 ? "middle axis"
                                         : "last axis",
                     .inputs =
                         [](Draw& draw) {
                           return Inputs{draw.normal({3, 4, 9}, 2)};
                         },
                     .function = [=](const Inputs& x) { return function(x[0], axis); },
                     .twin =
                         [=](const Inputs& x) {
                           const Tensor y = composed_softmax(x[0], axis);
                           return log ? sesame::log(y) : y;
                         },
                     .zero_inputs =
                         [axis](Draw& draw) {
                           return Inputs{draw.normal(axis == 0   ? Shape{0, 3, 2}
                                                     : axis == 1 ? Shape{2, 0, 2}
                                                                 : Shape{2, 3, 0})};
                         }});
  }
  // Rows of a warp and of a block, with packs of every width.
  for (const Shape& shape : {Shape{40, 24}, Shape{9, 10}, Shape{2, 1032}, Shape{2, 1030}, Shape{2, 1029}}) {
    cases.push_back({.op = op,
                     .what = "wide rows",
                     .inputs = [=](Draw& draw) { return Inputs{draw.normal(shape, 2)}; },
                     .function = [=](const Inputs& x) { return function(x[0], -1); },
                     .large = true});
  }
  return cases;
}

}  // namespace

TEST_CASE("softmax") { run_op_cases(cases_for("softmax", softmax, false)); }
TEST_CASE("log_softmax") { run_op_cases(cases_for("log_softmax", log_softmax, true)); }

TEST_CASE("large numbers do not overflow, minus infinity gets probability 0") {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::from(std::vector<float>{1000, 1000, -inf, -inf, 5, -1000}, Shape{2, 3});
  CHECK(softmax(x).to_vector<float>() == std::vector<float>{0.5, 0.5, 0, 0, 1, 0});
  CHECK(log_softmax(x).to_vector<float>()[5] == -1005);
}

TEST_CASE("rows of a vocabulary's width sum to 1") {
  Draw draw(4);
  const Tensor x = draw.normal({3, 30522}, 3).to(DType::Float32);
  for (float total : sum(softmax(x), {1}).to_vector<float>())
    CHECK(total == doctest::Approx(1).epsilon(1e-6));
  const Tensor y = log_softmax(x), z = log_softmax(x.to(DType::Float64));
  CHECK(relative_error(doubles(y), doubles(z)) < 1e-6);
}

TEST_CASE("errors") {
  const Tensor x = Tensor::ones({2, 3});
  const ErrorCase cases[] = {
      {"softmax", [&] { softmax(x, 2); }, "axis 2 is out of range for (2, 3)"},
      {"softmax", [&] { softmax(Tensor::scalar(1)); }, "axis -1 is out of range"},
      {"softmax", [&] { softmax(Tensor()); }, "[softmax] x is undefined"},
      {"log_softmax", [&] { log_softmax(Tensor::ones({2}, {DType::Int64})); },
       "[log_softmax] x must be a floating tensor, got int64"},
  };
  run_error_cases(cases);
}
