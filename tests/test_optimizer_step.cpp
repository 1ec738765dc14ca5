#include <cmath>
#include <limits>

#include "autograd/backend/cpu/host.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/optimizer_step.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Loshchilov & Hutter 2019, algorithm 2, element by element in double.
struct ReferenceAdamW {
  std::vector<double> weight, m, v;
  void step(const std::vector<double>& grad, const AdamWStep& s) {
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const double g = grad[i] * s.grad_scale;
      m[i] = s.beta1 * m[i] + (1 - s.beta1) * g;
      v[i] = s.beta2 * v[i] + (1 - s.beta2) * g * g;
      weight[i] -= s.lr * s.weight_decay * weight[i];
      weight[i] -= s.lr * (m[i] / s.bias1) / (std::sqrt(v[i] / s.bias2) + s.eps);
    }
  }
};

AdamWStep adamw_at(int t) {
  AdamWStep step{.lr = 0.01, .weight_decay = 0.1, .grad_scale = 0.5};
  step.bias1 = 1 - std::pow(step.beta1, t);
  step.bias2 = 1 - std::pow(step.beta2, t);
  return step;
}

}  // namespace

TEST_CASE("adamw_step follows the paper") {
  for (DType dtype : {DType::Float64, DType::Float32}) {
    for (std::int64_t n : {0, 1, 17, 50001}) {
      Draw draw(static_cast<std::uint64_t>(n));
      Tensor weight = draw.normal({n}).to(dtype).clone(), m = Tensor::zeros({n}, {dtype});
      Tensor v = Tensor::zeros({n}, {dtype});
      ReferenceAdamW reference{doubles(weight), doubles(m), doubles(v)};
      for (int t = 1; t <= 5; ++t) {
        const Tensor grad = draw.normal({n});
        adamw_step(weight, grad.to(dtype), m, v, adamw_at(t));
        reference.step(doubles(grad), adamw_at(t));
      }
      const double tolerance = dtype == DType::Float64 ? 1e-14 : 1e-6;
      CHECK(relative_error(doubles(weight), reference.weight) < tolerance);
      CHECK(relative_error(doubles(m), reference.m) < tolerance);
      CHECK(relative_error(doubles(v), reference.v) < tolerance);
    }
  }
}

TEST_CASE("adamw_step: two-dimensional weights, strided gradients, a weight that wants a gradient") {
  Draw draw(1);
  Tensor a = draw.normal({4, 6}), b = a.clone();
  a.set_requires_grad(true);
  const Tensor grad = draw.normal({6, 4});
  const auto state = [] { return Tensor::zeros({4, 6}, {DType::Float64}); };
  adamw_step(a, grad.transpose(0, 1), state(), state(), adamw_at(1));
  adamw_step(b, grad.transpose(0, 1).contiguous(), state(), state(), adamw_at(1));
  CHECK(doubles(a) == doubles(b));
}

TEST_CASE("sgd_step, plain and with momentum") {
  for (DType dtype : {DType::Float64, DType::Float32}) {
    for (bool with_momentum : {false, true}) {
      Draw draw(2);
      const std::int64_t n = 20011;
      Tensor weight = draw.normal({n}).to(dtype).clone(), buffer;
      if (with_momentum) buffer = Tensor::zeros({n}, {dtype});
      std::vector<double> wanted = doubles(weight), momentum(wanted.size(), 0.0);
      const SgdStep step{
          .lr = 0.1, .momentum = with_momentum ? 0.9 : 0, .weight_decay = 0.01, .grad_scale = 2};
      for (int t = 0; t < 4; ++t) {
        const Tensor grad = draw.normal({n});
        const std::vector<double> g = doubles(grad);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          momentum[i] = step.momentum * momentum[i] + 2 * g[i] + 0.01 * wanted[i];
          wanted[i] -= 0.1 * momentum[i];
        }
        sgd_step(weight, grad.to(dtype), buffer, step);
      }
      CHECK(relative_error(doubles(weight), wanted) < (dtype == DType::Float64 ? 1e-13 : 1e-6));
    }
  }
}

TEST_CASE("a step is an in-place write: a graph that saved the weight notices") {
  Tensor weight = Tensor::ones({3});
  weight.set_requires_grad(true);
  const Tensor y = sum(square(weight));
  sgd_step(weight, Tensor::ones({3}), {}, {.lr = 1});
  CHECK(weight.to_vector<float>() == std::vector<float>{0, 0, 0});
  CHECK(error_text([&] { y.backward(); }).find("changed in place") != std::string::npos);
}

TEST_CASE("sum_of_squares") {
  Draw draw(3);
  CHECK(sum_of_squares(Tensor::zeros({0})) == 0);
  for (std::int64_t n : {1, 2, 4095, 4097, 100003}) {
    const Tensor x = draw.normal({n});
    double wanted = 0;
    for (double value : doubles(x)) wanted += value * value;
    CHECK(sum_of_squares(x) == doctest::Approx(wanted).epsilon(1e-12));
    CHECK(sum_of_squares(x.to(DType::Float32)) == doctest::Approx(wanted).epsilon(1e-12));
  }
  CHECK(sum_of_squares(Tensor::full({10}, 1e30)) == doctest::Approx(1e61));  // beyond float32's range
  const Tensor matrix = draw.normal({30, 20});
  CHECK(sum_of_squares(matrix.transpose(0, 1)) == doctest::Approx(sum_of_squares(matrix)).epsilon(1e-12));
  for (double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    Tensor x = Tensor::ones({5000});
    x.slice(0, 4567, 4568).fill_(bad);
    CHECK(!std::isfinite(sum_of_squares(x)));
  }
}

TEST_CASE("one thread and several give the same bits") {
  Draw draw(4);
  const std::int64_t n = 70001;
  const Tensor start = draw.normal({n}).to(DType::Float32), grad = draw.normal({n}).to(DType::Float32);
  const auto run = [&] {
    Tensor weight = start.clone(), m = Tensor::zeros({n}), v = Tensor::zeros({n});
    adamw_step(weight, grad, m, v, adamw_at(1));
    std::vector<double> result = doubles(weight);
    result.push_back(sum_of_squares(weight));
    return result;
  };
  const std::vector<double> several = run();
  const int threads = cpu::threads();
  cpu::set_threads(1);
  CHECK(run() == several);
  cpu::set_threads(threads);
}

TEST_CASE("errors") {
  const Tensor w = Tensor::ones({2, 3}), other = Tensor::ones({3, 2}),
               wide = Tensor::ones({2, 3}, {DType::Float64});
  const AdamWStep step{.lr = 1};
  const ErrorCase cases[] = {
      {"adamw", [&] { adamw_step(w, other, w, w, step); },
       "[adamw] the gradient (3, 2) does not fit weight (2, 3)"},
      {"adamw", [&] { adamw_step(w, w, wide, w, step); }, "operands differ"},
      {"adamw", [&] { adamw_step(w, w, w, Tensor(), step); }, "v is undefined"},
      {"adamw", [&] { adamw_step(other.transpose(0, 1), w, w, w, step); },
       "the weight (2, 3) must be contiguous"},
      {"sgd", [&] { sgd_step(w, Tensor(), {}, {}); }, "[sgd] the gradient is undefined"},
      {"sgd", [&] { sgd_step(w, w, other, {}); }, "the momentum buffer (3, 2) does not fit weight (2, 3)"},
      {"sum_of_squares", [&] { sum_of_squares(Tensor::ones({2}, {DType::Int64})); },
       "must be a floating tensor"},
  };
  run_error_cases(cases);
}
