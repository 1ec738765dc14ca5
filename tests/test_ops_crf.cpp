#include <cmath>

#include "autograd/ops/crf.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Inputs in the order of crf_nll: emissions, tags, transitions, start, end.
Inputs crf_inputs(Draw& draw, std::int64_t rows, std::int64_t classes, double scale) {
  return {draw.normal({rows, classes}, scale), draw.integers({rows}, 0, classes),
          draw.normal({classes, classes}, scale), draw.normal({classes}), draw.normal({classes})};
}

OpCase crf_case(const char* what, const std::vector<std::int64_t>& lengths, std::int64_t classes,
                double normalizer, const SegmentsOptions& options = {}, std::int64_t rows = -1,
                double scale = 1) {
  std::int64_t total = rows;
  if (rows < 0) {
    total = 0;
    for (const std::int64_t length : lengths) total += length;
  }
  const Segments segments(lengths, options);
  return {.op = "crf_nll",
          .what = what,
          .inputs = [=](Draw& draw) { return crf_inputs(draw, total, classes, scale); },
          .function =
              [=](const Inputs& x) {
                return crf_nll(x[0], x[1], x[2], x[3], x[4], segments.to(x[0].device()), normalizer);
              },
          .twin =
              [=](const Inputs& x) {
                return crf_nll_composed(x[0], x[1], x[2], x[3], x[4], segments, normalizer);
              },
          .zero_inputs = [=](Draw& draw) { return crf_inputs(draw, 0, classes, 1); },
          .zero_function =
              [](const Inputs& x) {
                return crf_nll(x[0], x[1], x[2], x[3], x[4], Segments({0, 0}, {.device = x[0].device()}), 1);
              },
          .bfloat16 = 0};
}

// The loss of one sequence by listing all taggings.
double listed(const Tensor& emissions, const std::vector<std::int64_t>& tags, const Tensor& transitions,
              const Tensor& start, const Tensor& end) {
  const std::vector<double> e = doubles(emissions), t = doubles(transitions), s = doubles(start),
                            f = doubles(end);
  const std::size_t n = tags.size(), k = s.size();
  const auto score = [&](const std::vector<std::size_t>& y) {
    double sum = s[y[0]] + f[y[n - 1]];
    for (std::size_t i = 0; i < n; ++i) sum += e[i * k + y[i]] + (i > 0 ? t[y[i - 1] * k + y[i]] : 0);
    return sum;
  };
  double z = 0;
  std::vector<std::size_t> y(n, 0);
  for (bool more = true; more;) {
    z += std::exp(score(y));
    std::size_t i = 0;
    while (i < n && ++y[i] == k) y[i++] = 0;
    more = i < n;
  }
  return std::log(z) - score({tags.begin(), tags.end()});
}

}  // namespace

TEST_CASE("crf_nll") {
  const OpCase cases[] = {
      crf_case("three sequences", {3, 1, 5}, 4, 0),
      crf_case("one row, given normalizer", {1}, 3, 7),
      crf_case("empty sequences between others", {0, 2, 0, 4, 0}, 5, 0),
      crf_case("rows outside of sequences", {2, 3}, 3, 2, {.begins = {1, 4}}, 9),
      crf_case("wide, far apart scores", {6, 9}, 17, 0, {}, -1, 6),
  };
  run_op_cases(cases);
}

TEST_CASE("crf_nll equals the list of all taggings") {
  Draw draw(5);
  const Inputs x = crf_inputs(draw, 5, 3, 1);
  const std::vector<std::int64_t> tags = x[1].to_vector<std::int64_t>();
  CHECK(crf_nll(x[0], x[1], x[2], x[3], x[4], Segments({5}), 1).item() ==
        doctest::Approx(listed(x[0], tags, x[2], x[3], x[4])).epsilon(1e-12));
  const double parts = listed(x[0].slice(0, 0, 2), {tags[0], tags[1]}, x[2], x[3], x[4]) +
                       listed(x[0].slice(0, 2, 5), {tags[2], tags[3], tags[4]}, x[2], x[3], x[4]);
  CHECK(crf_nll(x[0], x[1], x[2], x[3], x[4], Segments({2, 3})).item() ==
        doctest::Approx(parts / 5).epsilon(1e-12));
}

TEST_CASE("crf_nll stays finite for extreme scores") {
  Draw draw(6);
  const Inputs drawn = crf_inputs(draw, 6, 4, 500);
  const Inputs x = as_leaves(drawn, DType::Float32, {}, true);
  const Tensor loss = crf_nll(x[0], x[1], x[2], x[3], x[4], Segments({6}));
  CHECK(std::isfinite(loss.item()));
  loss.backward();
  for (const double g : doubles(x[0].grad())) CHECK(std::isfinite(g));
  for (const double g : doubles(x[2].grad())) CHECK(std::isfinite(g));
}

TEST_CASE("crf_nll refuses what does not fit") {
  Draw draw(7);
  const Inputs x = crf_inputs(draw, 4, 3, 1);
  const auto with = [&](std::size_t i, const Tensor& other, const Segments& segments) {
    Inputs y = x;
    y[i] = other;
    return [y, segments] { crf_nll(y[0], y[1], y[2], y[3], y[4], segments); };
  };
  const ErrorCase cases[] = {
      {"tag too large", with(1, Tensor::from(std::vector<std::int64_t>{0, 1, 3, 0}), Segments({4})),
       "tag 3 is outside"},
      {"negative tag", with(1, Tensor::from(std::vector<std::int64_t>{0, -1, 2, 0}), Segments({4})),
       "tag -1 is outside"},
      {"few tags", with(1, Tensor::from(std::vector<std::int64_t>{0, 1}), Segments({4})),
       "tags must be int64 (4,)"},
      {"transitions", with(2, draw.normal({3, 4}), Segments({4})), "want transitions (3, 3)"},
      {"segments", with(0, x[0], Segments({3, 2})), "reach to row 5"},
      {"nothing", with(0, x[0], Segments(std::vector<std::int64_t>{0})), "a mean over no rows"},
  };
  run_error_cases(cases);
}
