#include <cmath>
#include <limits>

#include "autograd/backend/cpu/host.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/optimizer_step.h"
#include "tests/devices.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

constexpr double kRate = 0.01, kDecay = 0.1, kBeta1 = 0.9, kBeta2 = 0.999, kEps = 1e-8;

// Loshchilov & Hutter 2019, algorithm 2, element by element in double.
struct ReferenceAdamW {
  std::vector<double> weight, m, v;
  int t = 0;
  void step(const std::vector<double>& grad, double scale, double rate = kRate, double decay = kDecay) {
    ++t;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      const double g = grad[i] * scale;
      m[i] = kBeta1 * m[i] + (1 - kBeta1) * g;
      v[i] = kBeta2 * v[i] + (1 - kBeta2) * g * g;
      weight[i] -= rate * decay * weight[i];
      weight[i] -=
          rate * (m[i] / (1 - std::pow(kBeta1, t))) / (std::sqrt(v[i] / (1 - std::pow(kBeta2, t))) + kEps);
    }
  }
};

// What the updates of `slots` parameters share, on one device.
AdamWStep shared_numbers(std::int64_t slots, Device device = {}) {
  AdamWStep step;
  step.rates = Tensor::from(std::vector<double>{kRate, 0, 0.5}, device);
  step.updates = Tensor::zeros({slots}, {DType::Float64, device});
  return step;
}

AdamWSlot slot_of(const Tensor& weight, const Tensor& grad, const Tensor& m, const Tensor& v) {
  return {.weight = weight, .grad = grad, .m = m, .v = v, .weight_decay = kDecay};
}

}  // namespace

TEST_CASE("adamw_step follows the paper") {
  for (DType dtype : {DType::Float64, DType::Float32}) {
    for (std::int64_t n : {0, 1, 17, 50001}) {
      Draw draw(static_cast<std::uint64_t>(n));
      Tensor weight = draw.normal({n}).to(dtype).clone(), m = Tensor::zeros({n}, {dtype});
      Tensor v = Tensor::zeros({n}, {dtype});
      ReferenceAdamW reference{doubles(weight), doubles(m), doubles(v)};
      const AdamWStep step = shared_numbers(1);
      for (int t = 1; t <= 5; ++t) {
        const Tensor grad = draw.normal({n});
        adamw_step({slot_of(weight, grad.to(dtype), m, v)}, step);
        reference.step(doubles(grad), 0.5);
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
  adamw_step({slot_of(a, grad.transpose(0, 1), state(), state())}, shared_numbers(1));
  adamw_step({slot_of(b, grad.transpose(0, 1).contiguous(), state(), state())}, shared_numbers(1));
  CHECK(doubles(a) == doubles(b));
}

// Many tensors in one update, on every device that there is: more than fit one launch, sizes around the
// chunks, rates, decays and counts of their own, clipping by a norm that stays where it is.
TEST_CASE("one AdamW update of many tensors") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    Draw draw(5);
    std::vector<AdamWSlot> slots;
    std::vector<ReferenceAdamW> references;
    AdamWStep step = shared_numbers(150, device);
    const std::int64_t sizes[] = {1, 3, 4, 0, 767, 8192, 8193, 16500};
    for (std::int64_t i = 0; i < 150; ++i) {
      const std::int64_t n = sizes[i % 8];
      const Tensor weight = draw.normal({n}).to(DType::Float32);
      const TensorOptions like{DType::Float32, device};
      slots.push_back({.weight = weight.to(device).clone(),
                       .m = Tensor::zeros({n}, like),
                       .v = Tensor::zeros({n}, like),
                       .slot = 149 - i,
                       .lr_factor = i % 3 == 0 ? 0.5 : 1,
                       .weight_decay = i % 2 == 0 ? kDecay : 0});
      const std::vector<double> none(static_cast<std::size_t>(n), 0.0);
      references.push_back({doubles(weight), none, none});
    }
    for (int t = 0; t < 3; ++t) {
      std::vector<AdamWSlot> used;
      std::vector<Tensor> gradients;
      for (std::size_t i = 0; i < slots.size(); ++i) {
        if (t == 1 && i % 5 == 0) continue;  // no gradient: its count does not advance
        used.push_back(slots[i]);
        used.back().grad = draw.normal(slots[i].weight.shape()).to(DType::Float32).to(device);
        gradients.push_back(used.back().grad);
      }
      const std::vector<double> sums = doubles(square_sums(gradients));
      const double norm = sums.back();
      step.norm = Tensor::from(std::vector<double>{norm}, device);
      step.rates = Tensor::from(std::vector<double>{kRate, t == 0 ? 2 * norm : norm / 3, 1}, device);
      adamw_step(used, step);
      std::size_t next = 0;
      for (std::size_t i = 0; i < slots.size(); ++i) {
        if (t == 1 && i % 5 == 0) continue;
        references[i].step(doubles(gradients[next++]), t == 0 ? 1 : norm / 3 / (norm + 1e-6),
                           kRate * slots[i].lr_factor, slots[i].weight_decay);
      }
    }
    const std::vector<double> updates = doubles(step.updates);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      CAPTURE(i);
      CHECK(updates[149 - i] == (i % 5 == 0 ? 2 : 3));
      CHECK(relative_error(doubles(slots[i].weight), references[i].weight) < 1e-6);
      CHECK(relative_error(doubles(slots[i].v), references[i].v) < 1e-6);
    }
  }
}

TEST_CASE("the bfloat16 twin of a weight is written along, aligned or not") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    Draw draw(7);
    const AdamWStep step = shared_numbers(1, device);
    for (const std::int64_t offset : {0, 1}) {
      const std::int64_t n = 9001;
      const auto make = [&] { return draw.normal({n}).to(DType::Float32).to(device); };
      const Tensor weight = make(), grad = make(), m = make(), v = square(make());
      const Tensor twin = Tensor::zeros({n + 1}, {DType::BFloat16, device}).slice(0, offset, offset + n);
      const AdamWTensor tensor{.numel = n,
                               .weight = weight.view().data,
                               .grad = grad.view().data,
                               .m = m.view().data,
                               .v = v.view().data,
                               .twin = twin.view().data};
      kernels(device).adamw({.count = 1,
                             .tensors = &tensor,
                             .rates = static_cast<double*>(step.rates.view().data),
                             .updates = static_cast<double*>(step.updates.view().data)});
      CHECK(twin.to(DType::Float32).to_vector<float>() ==
            weight.to(DType::BFloat16).to(DType::Float32).to_vector<float>());
    }
  }
}

TEST_CASE("an update whose norm is not finite is left out") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    for (const double norm :
         {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
      const Tensor weight = Tensor::ones({5}, {DType::Float32, device}), grad = weight.clone();
      const Tensor m = weight.clone(), v = weight.clone();
      AdamWStep step = shared_numbers(1, device);
      step.norm = Tensor::from(std::vector<double>{norm}, device);
      adamw_step({slot_of(weight, grad, m, v)}, step);
      for (const Tensor& x : {weight, m, v}) CHECK(doubles(x) == std::vector<double>(5, 1));
      CHECK(doubles(step.updates) == std::vector<double>{0});
      step.norm = Tensor::from(std::vector<double>{1}, device);
      adamw_step({slot_of(weight, grad, m, v)}, step);
      CHECK(doubles(weight)[0] < 1);
      CHECK(doubles(step.updates) == std::vector<double>{1});
    }
  }
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

TEST_CASE("square_sums: each tensor, then the root of all; a guard adds only what is not finite") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    Draw draw(6);
    std::vector<Tensor> tensors;
    double total = 0;
    for (std::int64_t i = 0; i < 230; ++i) {
      if (i % 7 == 3) {
        tensors.emplace_back();  // no gradient
        continue;
      }
      tensors.push_back(draw.normal({i == 100 ? 40003 : i}).to(DType::Float32).to(device));
      for (const double x : doubles(tensors.back())) total += x * x;
    }
    const Tensor guard = Tensor::full({}, 1e30, {DType::Float32, device});
    const std::vector<double> sums = doubles(square_sums(tensors, {guard}));
    REQUIRE(sums.size() == 232);
    CHECK(sums[3] == 0);
    CHECK(sums[100] == doctest::Approx(sum_of_squares(tensors[100])).epsilon(1e-12));
    CHECK(sums[230] == 0);
    CHECK(sums[231] == doctest::Approx(std::sqrt(total)).epsilon(1e-12));
    CHECK(doubles(square_sums(tensors, {guard})) == sums);  // the same bits
    const Tensor bad = Tensor::full({}, std::numeric_limits<double>::infinity(), {DType::Float32, device});
    const std::vector<double> spoiled = doubles(square_sums(tensors, {guard, bad}));
    CHECK(spoiled[230] == 0);
    CHECK(!std::isfinite(spoiled[231]));
    CHECK(!std::isfinite(spoiled[232]));
    CHECK(spoiled[100] == sums[100]);
    // A view that begins at an odd element: slower, but the same bits.
    const Tensor shifted = tensors[100].slice(0, 1, 40001);
    CHECK(sum_of_squares(shifted) == sum_of_squares(shifted.clone()));
    if (device == Device{}) continue;
    const Tensor halves = tensors[100].to(DType::BFloat16);
    CHECK(sum_of_squares(halves) ==
          doctest::Approx(sum_of_squares(halves.to(DType::Float32))).epsilon(1e-12));
  }
}

TEST_CASE("one thread and several give the same bits") {
  Draw draw(4);
  const std::int64_t n = 70001;
  const Tensor start = draw.normal({n}).to(DType::Float32), grad = draw.normal({n}).to(DType::Float32);
  const auto run = [&] {
    Tensor weight = start.clone(), m = Tensor::zeros({n}), v = Tensor::zeros({n});
    adamw_step({slot_of(weight, grad, m, v)}, shared_numbers(1));
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
  const AdamWStep step = shared_numbers(1);
  AdamWStep rateless = step;
  rateless.rates = Tensor::ones({3});
  const ErrorCase cases[] = {
      {"adamw", [&] { adamw_step({slot_of(w, other, w, w)}, step); },
       "[adamw] the gradient (3, 2) does not fit weight (2, 3)"},
      {"adamw", [&] { adamw_step({slot_of(w, w, wide, w)}, step); }, "operands differ"},
      {"adamw", [&] { adamw_step({slot_of(w, w, w, Tensor())}, step); }, "v is undefined"},
      {"adamw", [&] { adamw_step({slot_of(other.transpose(0, 1), w, w, w)}, step); },
       "the weight (2, 3) must be contiguous"},
      {"adamw", [&] { adamw_step({slot_of(w, w, w, w)}, rateless); }, "the rates must be 3 float64 on cpu"},
      {"sgd", [&] { sgd_step(w, Tensor(), {}, {}); }, "[sgd] the gradient is undefined"},
      {"sgd", [&] { sgd_step(w, w, other, {}); }, "the momentum buffer (3, 2) does not fit weight (2, 3)"},
      {"sum_of_squares", [&] { sum_of_squares(Tensor::ones({2}, {DType::Int64})); },
       "must be a floating tensor"},
  };
  run_error_cases(cases);
}
