#include <limits>

#include "autograd/ops/pointwise.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

OpCase unary_case(const char* op, Tensor (*function)(const Tensor&), Tensor (*values)(Draw&),
                  OpFunction twin = nullptr) {
  return {.op = op,
          .what = "4-D",
          .inputs = [values](Draw& draw) { return Inputs{values(draw)}; },
          .function = [function](const Inputs& x) { return function(x[0]); },
          .twin = std::move(twin),
          .zero_inputs =
              [](Draw& draw) {
                return Inputs{draw.normal({3, 0})};
              }};
}

// 135 elements: packs, and a rest.
Tensor any(Draw& draw) { return draw.normal({3, 3, 3, 5}, 2); }
Tensor kinked(Draw& draw) { return draw.away_from_zero({3, 3, 3, 5}); }
Tensor positive(Draw& draw) { return draw.uniform({3, 3, 3, 5}, 0.2, 4); }

// Shapes of two operands that broadcast in one of the ways that kernels treat by themselves.
struct Pair {
  const char* what;
  Shape a, b;
};
const Pair pairs[] = {
    {"equal shapes", {3, 4, 5}, {3, 4, 5}},
    {"scalar right", {3, 4}, {}},
    {"scalar left", {}, {3, 4}},
    {"row vector", {7, 5}, {5}},
    {"column", {7, 5}, {7, 1}},
    {"column left", {7, 1}, {7, 5}},
    {"both sides", {4, 1, 3}, {2, 3}},
    {"outer", {4, 1}, {1, 5}},
    {"middle axis", {3, 4, 5}, {3, 1, 5}},
    {"row of packs", {6, 40}, {40}},
    {"column beside packs", {6, 40}, {6, 1}},
    {"number beside packs", {6, 40}, {}},
    {"middle axis, packs", {3, 4, 16}, {3, 1, 16}},
    {"packs and a rest", {7, 43}, {7, 43}},
    {"six axes", {2, 1, 2, 1, 2, 3}, {2, 3, 2, 2, 1, 3}},
};

// b stays away from 0 and from a, so that division and maxima have a gradient everywhere.
std::vector<OpCase> binary_cases(const char* op, Tensor (*function)(const Tensor&, const Tensor&),
                                 OpFunction twin = nullptr) {
  std::vector<OpCase> cases;
  for (const Pair& pair : pairs) {
    cases.push_back({.op = op,
                     .what = pair.what,
                     .inputs =
                         [pair](Draw& draw) {
                           return Inputs{draw.normal(pair.a), draw.away_from_zero(pair.b, 0.4)};
                         },
                     .function = [function](const Inputs& x) { return function(x[0], x[1]); },
                     .twin = twin,
                     .zero_inputs =
                         [](Draw& draw) {
                           return Inputs{draw.normal({0, 4}), draw.normal({1, 4})};
                         }});
  }
  return cases;
}

float value_of(const Tensor& x) { return static_cast<float>(x.item()); }

}  // namespace

TEST_CASE("unary ops") {
  const OpCase cases[] = {
      unary_case("neg", neg, any, [](const Inputs& x) { return affine(x[0], -1, 0); }),
      unary_case("exp", exp, any),
      unary_case("log", log, positive),
      unary_case("sqrt", sqrt, positive, [](const Inputs& x) { return power(x[0], 0.5); }),
      unary_case("abs", abs, kinked, [](const Inputs& x) { return maximum(x[0], neg(x[0])); }),
      unary_case("square", square, any, [](const Inputs& x) { return mul(x[0], x[0]); }),
      unary_case("relu", relu, kinked, [](const Inputs& x) { return (x[0] + abs(x[0])) * 0.5; }),
      unary_case("sigmoid", sigmoid, any, [](const Inputs& x) { return power(exp(-x[0]) + 1, -1); }),
      unary_case("tanh", tanh, any, [](const Inputs& x) { return 2 * sigmoid(2 * x[0]) + (-1); }),
      unary_case("swish", swish, any, [](const Inputs& x) { return x[0] * sigmoid(x[0]); }),
      unary_case("gelu", gelu, any),
      unary_case("gelu_tanh", gelu_tanh, any,
                 [](const Inputs& x) {
                   const Tensor u = 0.7978845608028654 * (x[0] + 0.044715 * power(x[0], 3));
                   return 0.5 * x[0] * (tanh(u) + 1);
                 }),
  };
  run_op_cases(cases);
}

TEST_CASE("binary ops") {
  run_op_cases(binary_cases("add", add));
  run_op_cases(binary_cases("sub", sub, [](const Inputs& x) { return x[0] + neg(x[1]); }));
  run_op_cases(binary_cases("mul", mul));
  run_op_cases(binary_cases("div", div, [](const Inputs& x) { return x[0] * power(x[1], -1); }));
  run_op_cases(binary_cases("maximum", maximum, [](const Inputs& x) { return x[0] + relu(x[1] - x[0]); }));
  run_op_cases(binary_cases("minimum", minimum, [](const Inputs& x) { return x[0] - relu(x[0] - x[1]); }));
}

TEST_CASE("affine and power") {
  const auto numbers = [](Draw& draw) { return Inputs{draw.normal({3, 7})}; };
  const auto nothing = [](Draw& draw) { return Inputs{draw.normal({0, 7})}; };
  const OpCase cases[] = {
      {.op = "affine",
       .what = "scale and shift",
       .inputs = numbers,
       .function = [](const Inputs& x) { return affine(x[0], -2.5, 0.75); },
       .twin =
           [](const Inputs& x) {
             return x[0] * Tensor::scalar(-2.5, {x[0].dtype()}) + Tensor::scalar(0.75, {x[0].dtype()});
           },
       .zero_inputs = nothing},
      {.op = "power",
       .what = "cube",
       .inputs = numbers,
       .function = [](const Inputs& x) { return power(x[0], 3); },
       .twin = [](const Inputs& x) { return x[0] * x[0] * x[0]; },
       .zero_inputs = nothing},
      {.op = "power",
       .what = "negative half",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.uniform({3, 7}, 0.3, 3)};
           },
       .function = [](const Inputs& x) { return power(x[0], -0.5); },
       .zero_inputs = nothing},
      {.op = "power",
       .what = "zero",
       .inputs = numbers,
       .function = [](const Inputs& x) { return power(x[0], 0); },
       .zero_inputs = nothing},
  };
  run_op_cases(cases);
}

TEST_CASE("values at the edges") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const auto at = [](Tensor (*function)(const Tensor&), float x) {
    return value_of(function(Tensor::from(std::vector<float>{x}, Shape{})));
  };
  CHECK(at(exp, -inf) == 0);
  CHECK(at(exp, inf) == inf);
  CHECK(at(log, 0) == -inf);
  CHECK(std::isnan(at(log, -1)));
  CHECK(at(sigmoid, -inf) == 0);
  CHECK(at(sigmoid, inf) == 1);
  CHECK(at(tanh, inf) == 1);
  CHECK(at(gelu, -inf) == 0);
  CHECK(at(gelu, inf) == inf);
  CHECK(at(swish, -inf) == 0);
  for (auto* function : {exp, log, sqrt, abs, relu, sigmoid, tanh, swish, gelu, gelu_tanh}) {
    CHECK(std::isnan(at(function, nan)));
  }
  const Tensor n = Tensor::from(std::vector<float>{nan, 1}), m = Tensor::from(std::vector<float>{2, nan});
  for (auto* function : {maximum, minimum}) {
    for (float v : function(n, m).to_vector<float>()) CHECK(std::isnan(v));
  }
}

TEST_CASE("gradients at kinks and ties") {
  Tensor a = Tensor::from(std::vector<double>{1, 2, 3}), b = Tensor::from(std::vector<double>{1, 5, 0});
  a.set_requires_grad(true);
  b.set_requires_grad(true);
  const auto gradients = [&](Tensor (*function)(const Tensor&, const Tensor&)) {
    a.zero_grad();
    b.zero_grad();
    backward(function(a, b), {Tensor::from(std::vector<double>{10, 20, 30}), false});
    return std::pair{a.grad().to_vector<double>(), b.grad().to_vector<double>()};
  };
  using Values = std::vector<double>;
  CHECK(gradients(maximum) == std::pair{Values{10, 0, 30}, Values{0, 20, 0}});
  CHECK(gradients(minimum) == std::pair{Values{10, 20, 0}, Values{0, 0, 30}});

  Tensor zero = Tensor::zeros({2}, {DType::Float64});
  zero.set_requires_grad(true);
  const double infinity = std::numeric_limits<double>::infinity();
  backward(relu(zero), {Tensor::from(Values{infinity, 1}), false});
  CHECK(zero.grad().to_vector<double>() == Values{0, 0});
  zero.zero_grad();
  backward(abs(zero), {Tensor::from(Values{1, 1}), false});
  CHECK(zero.grad().to_vector<double>() == Values{0, 0});
}

TEST_CASE("large tensors give the same with several threads") {
  Draw draw(5);
  const Tensor a = draw.normal({211, 333}).to(DType::Float32), b = draw.normal({333}).to(DType::Float32);
  const std::vector<float> x = a.to_vector<float>(), y = b.to_vector<float>(), z = (a * b).to_vector<float>();
  bool equal = true;
  for (std::size_t i = 0; i < z.size(); ++i) equal = equal && z[i] == x[i] * y[i % 333];
  CHECK(equal);
  const std::vector<float> t = add(a.transpose(0, 1), b.reshape({333, 1})).to_vector<float>();
  equal = true;
  for (std::size_t i = 0; i < 333; ++i) {
    for (std::size_t j = 0; j < 211; ++j) equal = equal && t[i * 211 + j] == x[j * 333 + i] + y[i];
  }
  CHECK(equal);
}

TEST_CASE("copies, casts and sums in place on other devices") {
  for (int index = 0; index < cuda::device_count(); ++index) {
    const Device device{Device::Type::Cuda, index};
    Draw draw(15);
    for (const Shape& shape : {Shape{3, 5}, Shape{4, 24}, Shape{300, 41}}) {
      const Tensor x = draw.normal(shape).to(DType::BFloat16).to(DType::Float32);
      const std::vector<double> values = doubles(x);
      const Tensor there = x.to(device);
      for (DType dtype : {DType::BFloat16, DType::Float64, DType::Float32})
        CHECK(doubles(there.to(dtype)) == values);
      CHECK(doubles(there.to(DType::BFloat16).to(DType::Float32)) == values);
      CHECK(doubles(there.transpose(0, 1).contiguous()) == doubles(x.transpose(0, 1).contiguous()));
      CHECK(doubles(there.slice(1, 1, 4).contiguous()) == doubles(x.slice(1, 1, 4).contiguous()));
      const auto column = there.slice(1, 0, 1).expand(shape).contiguous();
      CHECK(doubles(column) == doubles(x.slice(1, 0, 1).expand(shape).contiguous()));
      for (DType dtype : {DType::Float32, DType::BFloat16}) {
        Tensor sum = there.to(dtype).clone();
        sum.add_(there.to(dtype), -0.5);
        CHECK(doubles(sum) == doubles(affine(x, 0.5, 0)));
      }
    }
    const Tensor wide = draw.normal({6, 64}).to(DType::Float32).to(device);
    CHECK(doubles(wide.slice(1, 16, 48).contiguous()) == doubles(wide.to(Device{}).slice(1, 16, 48)));
    CHECK(doubles(wide.slice(1, 17, 49).contiguous()) == doubles(wide.to(Device{}).slice(1, 17, 49)));
  }
}

TEST_CASE("integers") {
  const Tensor a = Tensor::from(std::vector<std::int64_t>{1, 2, 3}),
               b = Tensor::from(std::vector<std::int64_t>{10}, Shape{});
  CHECK(add(a, b).to_vector<std::int64_t>() == std::vector<std::int64_t>{11, 12, 13});
  CHECK(maximum(a, a).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("errors") {
  const Tensor x = Tensor::ones({2, 3}), y = Tensor::ones({2, 4}), d = Tensor::ones({2, 3}, {DType::Float64});
  const Tensor i = Tensor::ones({2}, {DType::Int64});
  const ErrorCase cases[] = {
      {"add", [&] { add(x, y); }, "[add] shapes (2, 3) and (2, 4) do not broadcast"},
      {"mul", [&] { mul(x, d); }, "[mul] operands differ: (2, 3) float32 on cpu and (2, 3) float64 on cpu"},
      {"sub", [&] { sub(x, Tensor()); }, "[sub] an operand is undefined"},
      {"div", [&] { div(i, i); }, "[div] a must be a floating tensor, got int64"},
      {"exp", [&] { exp(i); }, "[exp] x must be a floating tensor, got int64"},
      {"gelu", [&] { gelu(Tensor()); }, "[gelu] x is undefined"},
      {"affine", [&] { affine(i, 1, 1); }, "[affine] x must be a floating tensor"},
      {"power", [&] { power(Tensor(), 2); }, "[power] x is undefined"},
  };
  run_error_cases(cases);
}
