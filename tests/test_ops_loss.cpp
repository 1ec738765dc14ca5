#include <cmath>

#include "autograd/ops/loss.h"
#include "autograd/ops/pointwise.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

OpCase cross_entropy_case(const char* what, const Shape& shape, const std::vector<std::int64_t>& targets,
                          const CrossEntropyOptions& options) {
  return {.op = "cross_entropy",
          .what = what,
          .inputs =
              [=](Draw& draw) {
                return Inputs{draw.normal(shape, 2), Tensor::from(targets)};
              },
          .function = [=](const Inputs& x) { return cross_entropy(x[0], x[1], options); },
          .twin = [=](const Inputs& x) { return cross_entropy_composed(x[0], x[1], options); }};
}

OpCase pair_case(const char* op, const char* what, double normalizer, double low,
                 Tensor (*function)(const Tensor&, const Tensor&, double),
                 Tensor (*twin)(const Tensor&, const Tensor&, double)) {
  return {.op = op,
          .what = what,
          .inputs =
              [=](Draw& draw) {
                return Inputs{draw.normal({3, 5}, 2), draw.uniform({3, 5}, low, 1)};
              },
          .function = [=](const Inputs& x) { return function(x[0], x[1], normalizer); },
          .twin = [=](const Inputs& x) { return twin(x[0], x[1], normalizer); },
          .zero_inputs =
              [](Draw& draw) {
                return Inputs{draw.normal({0, 5}), draw.normal({0, 5})};
              },
          .zero_function = [=](const Inputs& x) { return function(x[0], x[1], 8); }};
}

Tensor mse_by_mean(const Tensor& p, const Tensor& t, double normalizer) {
  double total = normalizer > 0 ? normalizer : static_cast<double>(p.numel());
  Tensor y = Tensor::scalar(0, p.options());
  for (std::int64_t i = 0; i < p.size(0); ++i) {
    for (std::int64_t j = 0; j < p.size(1); ++j) {
      const Tensor d = (p - t).slice(0, i, i + 1).slice(1, j, j + 1).reshape({});
      y = y + d * d;
    }
  }
  return y * (1 / total);
}

}  // namespace

TEST_CASE("cross_entropy") {
  const std::vector<std::int64_t> targets = {2, 0, 3, 1, 2}, some = {2, -100, 3, -100, 0},
                                  none = {-100, -100};
  OpCase empty = cross_entropy_case("a normalizer", {5, 4}, some, {.normalizer = 16});
  empty.zero_inputs = [](Draw& draw) {
    return Inputs{draw.normal({0, 4}), Tensor::from(std::vector<std::int64_t>{})};
  };
  const OpCase cases[] = {
      cross_entropy_case("mean over rows", {5, 4}, targets, {}),
      cross_entropy_case("ignored rows", {5, 4}, some, {}),
      cross_entropy_case("label smoothing", {5, 4}, targets, {.label_smoothing = 0.1}),
      cross_entropy_case("smoothing, another ignore_index", {5, 4}, targets,
                         {.ignore_index = 2, .label_smoothing = 0.3}),
      cross_entropy_case("every row ignored", {2, 3}, none, {.normalizer = 4}),
      cross_entropy_case("one class", {2, 1}, {0, 0}, {}),
      cross_entropy_case("many classes", {3, 77}, {0, 76, 40}, {.label_smoothing = 0.2}),
      empty,
  };
  run_op_cases(cases);
  for (const std::int64_t cols :
       {24, 1029, 1030, 1032}) {  // rows of a warp and of a block, packs of any width
    OpCase wide = cross_entropy_case("wide rows", {3, cols}, {cols - 1, -100, 5}, {.label_smoothing = 0.1});
    wide.large = true;
    run_op_case(wide);
  }
}

TEST_CASE("mse_loss and bce_with_logits") {
  const OpCase cases[] = {
      pair_case("mse_loss", "mean", 0, -1, mse_loss, mse_by_mean),
      pair_case("mse_loss", "normalizer", 20, -1, mse_loss, mse_by_mean),
      pair_case("bce_with_logits", "mean", 0, 0, bce_with_logits, bce_with_logits_composed),
      pair_case("bce_with_logits", "normalizer", 40, 0, bce_with_logits, bce_with_logits_composed),
  };
  run_op_cases(cases);
}

TEST_CASE("parts of a batch with the step's normalizer add up to the whole") {
  Draw draw(3);
  const Tensor x = draw.normal({6, 4}), t = Tensor::from(std::vector<std::int64_t>{0, 1, -100, 3, 2, 2});
  const CrossEntropyOptions step{.normalizer = 5};
  const double whole = cross_entropy(x, t).item();
  const double parts =
      cross_entropy(x.slice(0, 0, 2), t.slice(0, 0, 2), step).item() +
      cross_entropy(x.slice(0, 2, 3), t.slice(0, 2, 3), step).item() +  // nothing but an ignored row
      cross_entropy(x.slice(0, 3, 6), t.slice(0, 3, 6), step).item();
  CHECK(parts == doctest::Approx(whole).epsilon(1e-12));
}

TEST_CASE("large logits stay finite") {
  Tensor x = Tensor::from(std::vector<float>{1e4f, -1e4f, 0, -1e4f, 1e4f, 3}, Shape{2, 3});
  x.set_requires_grad(true);
  const Tensor y = cross_entropy(x, Tensor::from(std::vector<std::int64_t>{1, 1}));
  CHECK(y.item() == doctest::Approx(1e4));
  y.backward();
  CHECK(x.grad().to_vector<float>() == std::vector<float>{0.5f, -0.5f, 0, 0, 0, 0});

  Tensor z = Tensor::from(std::vector<float>{1000, -1000, 1000, -1000}, Shape{4});
  z.set_requires_grad(true);
  const Tensor b = bce_with_logits(z, Tensor::from(std::vector<float>{1, 0, 0, 1}, Shape{4}));
  CHECK(b.item() == doctest::Approx(500));
  b.backward();
  CHECK(z.grad().to_vector<float>() == std::vector<float>{0, 0, 0.25f, -0.25f});
}

TEST_CASE("a vocabulary's width: float32 against float64") {
  Draw draw(5);
  const Inputs inputs = {draw.normal({40, 30522}, 3), draw.integers({40}, 0, 30522)};
  const OpFunction function = [](const Inputs& x) {
    return cross_entropy(x[0], x[1], {.label_smoothing = 0.1});
  };
  check_equal(evaluate(function, as_leaves(inputs, DType::Float32, {}, true), true),
              evaluate(function, as_leaves(inputs, DType::Float64, {}, true), true), 1e-6, "float32");
}

TEST_CASE("errors") {
  const Tensor x = Tensor::ones({4, 3}), good = Tensor::from(std::vector<std::int64_t>{0, 1, 2, 0});
  const Tensor bad = Tensor::from(std::vector<std::int64_t>{0, -100, 2, 7});
  const Tensor negative = Tensor::from(std::vector<std::int64_t>{0, -1, 2, 0});
  const Tensor ignored = Tensor::full({4}, -100, {DType::Int64});
  const ErrorCase cases[] = {
      {"cross_entropy", [&] { cross_entropy(x, bad); },
       "[cross_entropy] target 7 at row 3 is outside of [0, 3)"},
      {"cross_entropy", [&] { cross_entropy(x, negative); }, "target -1 at row 1 is outside of [0, 3)"},
      {"cross_entropy", [&] { cross_entropy(x, ignored); }, "none of 4 rows has a target to learn from"},
      {"cross_entropy", [&] { cross_entropy(x, good.slice(0, 0, 2)); },
       "targets must be int64 (4,) for logits (4, 3), got int64 (2,)"},
      {"cross_entropy", [&] { cross_entropy(x, x); }, "got float32 (4, 3)"},
      {"cross_entropy", [&] { cross_entropy(Tensor::ones({3}), good); }, "logits must be [N, C], got (3,)"},
      {"cross_entropy", [&] { cross_entropy(x, good, {.label_smoothing = 1}); },
       "label smoothing must be in [0, 1)"},
      {"cross_entropy", [&] { cross_entropy(x, good, {.normalizer = -1}); }, "must not be negative, got -1"},
      {"cross_entropy", [&] { cross_entropy(x, Tensor()); }, "targets are undefined"},
      {"mse_loss", [&] { mse_loss(x, Tensor::ones({4})); },
       "prediction (4, 3), target (4,); nothing is broadcast"},
      {"mse_loss", [&] { mse_loss(Tensor::ones({0}), Tensor::ones({0})); }, "a mean over no elements (0,)"},
      {"bce_with_logits", [&] { bce_with_logits(x, x.to(DType::Float64)); }, "operands differ"},
      {"bce_with_logits", [&] { bce_with_logits(x, Tensor()); }, "[bce_with_logits] the target is undefined"},
  };
  run_error_cases(cases);
}
