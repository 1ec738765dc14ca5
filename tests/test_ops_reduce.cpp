#include <algorithm>
#include <limits>
#include <numeric>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

struct Axes {
  const char* what;
  std::vector<int> axes;
  bool keepdim;
};
const Axes all_axes[] = {
    {"all", {}, false},         {"all, kept", {}, true},     {"first", {0}, false},
    {"last", {-1}, false},      {"middle, kept", {1}, true}, {"two apart", {0, 2}, false},
    {"last two", {3, 2}, true}, {"ends", {0, -1}, true},
};

std::vector<OpCase> reduce_cases(const char* op,
                                 Tensor (*function)(const Tensor&, const std::vector<int>&, bool),
                                 const Shape& zero) {
  std::vector<OpCase> cases;
  for (const Axes& a : all_axes) {
    cases.push_back({.op = op,
                     .what = a.what,
                     .inputs =
                         [](Draw& draw) {
                           return Inputs{draw.normal({3, 4, 2, 5})};
                         },
                     .function = [=](const Inputs& x) { return function(x[0], a.axes, a.keepdim); },
                     .zero_inputs = [zero](Draw& draw) { return Inputs{draw.normal(zero)}; },
                     .zero_function = [=](const Inputs& x) { return function(x[0], {1}, a.keepdim); }});
  }
  return cases;
}

// Sums that are cut into pieces, and columns in packs.
OpCase large_sum(const char* what, const Shape& shape, const std::vector<int>& axes) {
  return {.op = "sum",
          .what = what,
          .inputs = [=](Draw& draw) { return Inputs{draw.normal(shape)}; },
          .function = [=](const Inputs& x) { return sum(x[0], axes); },
          .large = true};
}

std::vector<OpCase> max_cases() {
  std::vector<OpCase> cases;
  for (int axis : {0, 1, -1}) {
    cases.push_back({.op = "max",
                     .what = axis == 0   ? "first axis"
                             : axis == 1 ? "middle axis"
                                         : "last axis",
                     .inputs =
                         [](Draw& draw) {
                           return Inputs{draw.normal({5, 7, 6})};
                         },
                     .function = [axis](const Inputs& x) { return max(x[0], axis, axis == 1); },
                     .zero_inputs =
                         [](Draw& draw) {
                           return Inputs{draw.normal({0, 3})};
                         },
                     .zero_function = [](const Inputs& x) { return max(x[0], 1); }});
  }
  return cases;
}

using Ints = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("sum") { run_op_cases(reduce_cases("sum", sum, {2, 0, 3})); }
TEST_CASE("large sums") {
  const OpCase cases[] = {
      large_sum("a long row", {20001}, {}),          large_sum("few long rows", {2, 9000}, {1}),
      large_sum("rows of a block", {3, 1500}, {1}),  large_sum("rows of a warp", {70, 24}, {1}),
      large_sum("columns in packs", {700, 24}, {0}), large_sum("columns without packs", {300, 7}, {0}),
      large_sum("one column", {2000, 1}, {0}),       large_sum("more columns than a block's", {40, 600}, {0}),
      large_sum("middle axis", {2, 300, 40}, {1}),
  };
  run_op_cases(cases);
}
TEST_CASE("mean") { run_op_cases(reduce_cases("mean", mean, {0, 2, 3})); }
TEST_CASE("max") { run_op_cases(max_cases()); }

TEST_CASE("argmax") {
  const OpCase cases[] = {{.op = "argmax",
                           .what = "last axis",
                           .inputs =
                               [](Draw& draw) {
                                 return Inputs{draw.normal({5, 7, 6})};
                               },
                           .function = [](const Inputs& x) { return argmax(x[0], -1, true); },
                           .zero_inputs =
                               [](Draw& draw) {
                                 return Inputs{draw.normal({0, 3})};
                               },
                           .differentiable = false},
                          {.op = "argmax",
                           .what = "first axis",
                           .inputs =
                               [](Draw& draw) {
                                 return Inputs{draw.normal({5, 7, 6})};
                               },
                           .function = [](const Inputs& x) { return argmax(x[0], 0); },
                           .differentiable = false}};
  run_op_cases(cases);
  const Tensor x = Tensor::from(std::vector<float>{1, 5, 5, 2, 2, 0}, Shape{2, 3});
  CHECK(argmax(x, 1).to_vector<std::int64_t>() == Ints{1, 0});
  CHECK(argmax(x, 0).to_vector<std::int64_t>() == Ints{1, 0, 0});
}

TEST_CASE("a sum over nothing is 0") {
  CHECK(sum(Tensor::zeros({0, 3})).item() == 0);
  CHECK(sum(Tensor::zeros({0, 3}), {0}).to_vector<float>() == std::vector<float>{0, 0, 0});
}

TEST_CASE("a sum over axes of size 1 has memory of its own") {
  Tensor x = Tensor::ones({1, 3});
  const Tensor y = sum(x, {0});
  x.fill_(7);
  CHECK(y.to_vector<float>() == std::vector<float>{1, 1, 1});
}

TEST_CASE("NaN is the largest, the first maximum wins") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const Tensor x =
      Tensor::from(std::vector<float>{1, nan, inf, nan, -inf, -inf, -inf, -inf, 3, 3, 2, 1}, Shape{3, 4});
  CHECK(argmax(x, 1).to_vector<std::int64_t>() == Ints{1, 0, 0});
  CHECK(argmax(x.transpose(0, 1).contiguous(), 0).to_vector<std::int64_t>() == Ints{1, 0, 0});
  CHECK(std::isnan(max(x, 1).to_vector<float>()[0]));
  CHECK(std::isnan(max(x.transpose(0, 1).contiguous(), 0).to_vector<float>()[0]));
}

TEST_CASE("long float32 sums keep their digits") {
  // 0.1 a million times: a plain float loop is off by a percent.
  const Tensor x = Tensor::full({1000, 1000}, 0.1);
  CHECK(sum(x).item() == doctest::Approx(100000.0).epsilon(1e-6));
  for (int axis : {0, 1}) {
    const Tensor part = sum(x.reshape({axis == 0 ? 500000 : 2, axis == 0 ? 2 : 500000}), {axis});
    for (float v : part.to_vector<float>()) CHECK(v == doctest::Approx(50000.0).epsilon(1e-6));
  }
}

TEST_CASE("the k largest of each row, sorted, the first of equal ones first") {
  Draw draw(9);
  for (const std::int64_t n : {1, 7, 64, 65, 1000, 30522}) {
    // Few distinct values, so that many are equal.
    const Tensor x = draw.integers({5, n}, 0, 300).to(DType::Float32);
    const std::vector<float> values = x.to_vector<float>();
    for (const std::int64_t k : {std::int64_t{1}, std::int64_t{4}, std::int64_t{150}, n}) {
      if (k > n || (k == n && n > 1000)) continue;
      const TopK top = top_k(n == 65 ? x.transpose(0, 1).contiguous().transpose(0, 1) : x, k);
      REQUIRE(top.values.shape() == Shape{5, k});
      const Ints index = top.index.to_vector<std::int64_t>();
      const std::vector<float> found = top.values.to_vector<float>();
      for (std::size_t row = 0; row < 5; ++row) {
        const float* at = values.data() + row * static_cast<std::size_t>(n);
        Ints order(static_cast<std::size_t>(n));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [at](auto a, auto b) { return at[a] > at[b]; });
        order.resize(static_cast<std::size_t>(k));
        const auto begin = static_cast<std::ptrdiff_t>(row) * k;
        CHECK(Ints(index.begin() + begin, index.begin() + begin + k) == order);
        for (std::size_t i = 0; i < order.size(); ++i) {
          CHECK(found[static_cast<std::size_t>(begin) + i] == at[order[i]]);
        }
      }
    }
  }
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(top_k(Tensor::from(std::vector<float>{nan, 1, nan, 2}, {1, 4}), 2).index.to_vector<std::int64_t>() ==
        Ints{3, 1});
  CHECK(top_k(Tensor::ones({0, 4}), 2).values.shape() == Shape{0, 2});
}

TEST_CASE("errors") {
  const Tensor x = Tensor::ones({2, 3}), empty = Tensor::ones({2, 0});
  const ErrorCase cases[] = {
      {"sum", [&] { sum(x, {2}); }, "axis 2 is out of range for (2, 3)"},
      {"sum",
       [&] {
         sum(x, {1, -1});
       },
       "[sum] axis -1 is named twice"},
      {"sum", [&] { sum(Tensor()); }, "[sum] x is undefined"},
      {"mean", [&] { mean(empty, {1}); }, "[mean] (2, 0) has no elements to average"},
      {"mean", [&] { mean(Tensor::ones({2}, {DType::Int64})); }, "[mean] x must be a floating tensor"},
      {"max", [&] { max(empty, 1); }, "[max] axis 1 of (2, 0) is empty"},
      {"argmax", [&] { argmax(empty, 1); }, "[argmax] axis 1 of (2, 0) is empty"},
      {"top_k", [&] { top_k(x, 4); }, "[top_k] x must be [rows, n] and k 1 to n, got (2, 3) and k = 4"},
      {"top_k", [&] { top_k(x, 0); }, "k = 0"},
      {"top_k",
       [&] {
         top_k(Tensor::ones({2, 3}, {DType::Int64}), 1);
       },
       "[top_k] x must be a floating tensor"},
  };
  run_error_cases(cases);
}
