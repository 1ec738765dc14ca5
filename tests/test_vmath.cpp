// Accuracy of the float32 elementary functions (autograd/backend/cpu/kernels/vmath.h), through the ops: a
// dense grid of float32 numbers against the C library in double. SESAME_ISA=baseline|avx2|avx512 in the
// environment chooses the instruction set.
#include <bit>
#include <cmath>
#include <limits>
#include <numbers>

#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Real = double (*)(double);
constexpr float inf = std::numeric_limits<float>::infinity();

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }
double cdf_of(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double gelu_of(double x) { return x * cdf_of(x); }
double gelu_slope(double x) { return cdf_of(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }
double swish_of(double x) { return x * sigmoid_of(x); }
double swish_slope(double x) { return sigmoid_of(x) * (1 + x * (1 - sigmoid_of(x))); }
double gelu_tanh_arg(double x) { return std::sqrt(8 / std::numbers::pi) * (x + 0.044715 * x * x * x); }
double gelu_tanh_of(double x) { return x * sigmoid_of(gelu_tanh_arg(x)); }
double gelu_tanh_slope(double x) {
  const double s = sigmoid_of(gelu_tanh_arg(x));
  return s + x * s * (1 - s) * std::sqrt(8 / std::numbers::pi) * (1 + 3 * 0.044715 * x * x);
}

// About a million numbers in [low, high], every `step`th that float32 can represent.
std::vector<float> grid(float low, float high, std::uint32_t step = 2099) {
  std::vector<float> values;
  for (std::uint32_t sign : {0u, 0x80000000u}) {
    for (std::uint32_t bits = 0; bits < 0x7F800000u; bits += step) {
      const float x = std::bit_cast<float>(bits | sign);
      if (x >= low && x <= high) values.push_back(x);
    }
  }
  return values;
}

// The largest |y - f(x)| in units of: relative * |f(x)| + absolute.
double worst(const std::vector<float>& x, const std::vector<float>& y, Real f, double relative,
             double absolute) {
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double wanted = f(static_cast<double>(x[i]));
    const double error = std::abs(y[i] - wanted) / (relative * std::abs(wanted) + absolute);
    if (!(error <= largest)) largest = error;  // also NaN
  }
  return largest;
}

struct Function {
  const char* name;
  Tensor (*op)(const Tensor&);
  Real value, slope;  // slope may be null
  float low, high;
  double relative, absolute;
};

}  // namespace

TEST_CASE("values and slopes on a dense grid") {
  constexpr double ulp = 0x1p-23, tiny = 1e-37;
  const Function functions[] = {
      {"exp", exp, std::exp, nullptr, -87, 88, 2 * ulp, tiny},
      {"log", log, std::log, nullptr, 1e-38f, 3e38f, 2 * ulp, tiny},
      {"tanh", tanh, std::tanh, nullptr, -1e30f, 1e30f, 2 * ulp, tiny},
      {"sigmoid", sigmoid, sigmoid_of, nullptr, -86, 1e30f, 3 * ulp, tiny},
      {"swish", swish, swish_of, swish_slope, -1e5f, 1e5f, 4 * ulp, 3e-7},
      {"gelu", gelu, gelu_of, gelu_slope, -1e5f, 1e5f, 2 * ulp, 1e-7},
      {"gelu_tanh", gelu_tanh, gelu_tanh_of, gelu_tanh_slope, -1e5f, 1e5f, 4 * ulp, 2e-7},
  };
  for (const Function& f : functions) {
    CAPTURE(f.name);
    const std::vector<float> x = grid(f.low, f.high);
    REQUIRE(x.size() > 100000);
    Tensor leaf = Tensor::from(x);
    leaf.set_requires_grad(true);
    const Tensor y = f.op(leaf);
    CHECK(worst(x, y.to_vector<float>(), f.value, f.relative, f.absolute) <= 1);
    if (f.slope == nullptr) continue;
    backward(y, {Tensor::ones(y.shape()), false});
    CHECK(worst(x, leaf.grad().to_vector<float>(), f.slope, 4 * ulp, 2e-6) <= 1);
  }
}

TEST_CASE("limits are exact and NaN stays NaN, in values and slopes") {
  const std::vector<float> x = {inf, -inf, 1e30f, -1e30f, 2000, -2000, 0, std::nanf("")};
  struct Limits {
    const char* name;
    Tensor (*op)(const Tensor&);
    std::vector<float> values;
  };
  const Limits table[] = {
      {"exp", exp, {inf, 0, inf, 0, inf, 0, 1}},
      {"tanh", tanh, {1, -1, 1, -1, 1, -1, 0}},
      {"sigmoid", sigmoid, {1, 0, 1, 0, 1, 0, 0.5f}},
      {"gelu", gelu, {inf, 0, 1e30f, 0, 2000, 0, 0}},
      {"gelu_tanh", gelu_tanh, {inf, 0, 1e30f, 0, 2000, 0, 0}},
      {"swish", swish, {inf, 0, 1e30f, 0, 2000, 0, 0}},
  };
  for (const Limits& row : table) {
    CAPTURE(row.name);
    for (DType dtype : {DType::Float32, DType::Float64}) {
      const std::vector<double> y = doubles(row.op(Tensor::from(x).to(dtype)));
      for (std::size_t i = 0; i + 1 < x.size(); ++i) CHECK(y[i] == static_cast<double>(row.values[i]));
      CHECK(std::isnan(y.back()));
    }
  }
  const std::vector<float> logs =
      log(Tensor::from(std::vector<float>{0, inf, -1, std::nanf("")})).to_vector<float>();
  CHECK(logs[0] == -inf);
  CHECK(logs[1] == inf);
  CHECK(std::isnan(logs[2]));
  CHECK(std::isnan(logs[3]));
  for (auto op : {gelu, gelu_tanh, swish}) {
    Tensor leaf = Tensor::from(x);
    leaf.set_requires_grad(true);
    backward(op(leaf), {Tensor::ones(leaf.shape()), false});
    const std::vector<float> slope = leaf.grad().to_vector<float>();
    CHECK(std::vector<float>(slope.begin(), slope.end() - 1) == std::vector<float>{1, 0, 1, 0, 1, 0, 0.5f});
    CHECK(std::isnan(slope.back()));
  }
}

TEST_CASE("the activation fused into linear is the activation's own op, bit for bit") {
  const std::vector<float> values = grid(-20, 20, 65537);
  const Tensor x = Tensor::from(values, Shape{static_cast<std::int64_t>(values.size()), 1});
  const Tensor weight = Tensor::ones({1, 1});
  CHECK(linear(x, weight, {}, Activation::Gelu).to_vector<float>() == gelu(x).to_vector<float>());
  CHECK(linear(x, weight, {}, Activation::GeluTanh).to_vector<float>() == gelu_tanh(x).to_vector<float>());
  CHECK(linear(x, weight, {}, Activation::Tanh).to_vector<float>() == tanh(x).to_vector<float>());
  CHECK(linear(x, weight, {}, Activation::Swish).to_vector<float>() == swish(x).to_vector<float>());
  CHECK(linear(x, weight, {}, Activation::Relu).to_vector<float>() == relu(x).to_vector<float>());
}
