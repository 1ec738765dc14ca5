// Optimisers, schedules and clipping against PyTorch's values in tests/golden.
#include <doctest/doctest.h>

#include "golden_model.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "nn/optim/schedule.h"
#include "nn/optim/sgd.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::error_of;
using sesame::testing::Golden;

namespace {

// Runs five steps on the stored gradients; `shape` decides whether weight decay applies (two axes) or not
// (one).
template <class Make>
double largest_error(const Golden& golden, const std::string& name, const Shape& shape, Make make) {
  NamedParameter p{"p", golden.tensor("optim.start").to(DType::Float64).clone().reshape(shape)};
  p.tensor.set_requires_grad(true);
  const auto optimizer = make(std::vector<NamedParameter>{p});
  const std::vector<double> rates = golden.values("optim.lr"), wanted = golden.values("optim." + name);
  const Tensor grads = golden.tensor("optim.grads").to(DType::Float64);
  double error = 0;
  for (std::int64_t step = 0; step < 5; ++step) {
    p.tensor.set_grad(grads.slice(0, step, step + 1).clone().reshape(shape));
    optimizer->step(rates[static_cast<std::size_t>(step)]);
    const std::vector<double> now = p.tensor.to_vector<double>();
    for (std::size_t i = 0; i < now.size(); ++i) {
      error = std::max(error, std::abs(now[i] - wanted[static_cast<std::size_t>(step) * now.size() + i]));
    }
  }
  return error;
}

}  // namespace

TEST_CASE("AdamW and SGD follow PyTorch for five steps") {
  const Golden golden("ops");
  const auto adamw = [](AdamWOptions options) {
    return [options](const std::vector<NamedParameter>& p) { return std::make_unique<AdamW>(p, options); };
  };
  const auto sgd = [](double momentum) {
    return [momentum](const std::vector<NamedParameter>& p) {
      return std::make_unique<Sgd>(p, SgdOptions{.momentum = momentum});
    };
  };
  CHECK(largest_error(golden, "adamw_decay", {1, 7}, adamw({.weight_decay = 0.01})) < 1e-12);
  CHECK(largest_error(golden, "adamw_plain", {7}, adamw({.weight_decay = 0.01})) <
        1e-12);  // one axis: no decay
  CHECK(largest_error(golden, "adamw_betas", {1, 7},
                      adamw({.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-3, .weight_decay = 0.1})) < 1e-12);
  CHECK(largest_error(golden, "sgd", {7}, sgd(0)) < 1e-12);
  CHECK(largest_error(golden, "sgd_momentum", {7}, sgd(0.9)) < 1e-12);
}

TEST_CASE("schedules equal those of transformers") {
  const Golden golden("ops");
  const auto check = [&](const std::string& name, const Schedule& schedule) {
    const std::vector<double> wanted = golden.values("schedule." + name);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      CHECK_MESSAGE(std::abs(schedule.factor(static_cast<std::int64_t>(i)) - wanted[i]) < 1e-12, name,
                    " step ", i);
    }
  };
  check("linear", {ScheduleKind::Linear, 4, 20});
  check("cosine", {ScheduleKind::Cosine, 4, 20});
  check("constant", {ScheduleKind::Constant, 4, 20});
  check("linear_no_warmup", {ScheduleKind::Linear, 0, 20});
  CHECK(error_of([] { parse_schedule("step"); }).find("expected linear, cosine or constant") !=
        std::string::npos);
}

TEST_CASE("clipping by the global norm equals PyTorch's") {
  const Golden golden("ops");
  std::vector<NamedParameter> parameters;
  for (const char* name : {"clip.grad0", "clip.grad1"}) {
    const Tensor grad = golden.tensor(name).to(DType::Float64).clone();
    Tensor p = Tensor::zeros(grad.shape(), {DType::Float64, {}});
    p.set_requires_grad(true);
    p.set_grad(grad);
    parameters.push_back({name, p});
  }
  const double norm = global_grad_norm(parameters);
  CHECK(norm == doctest::Approx(golden.value("clip.one.norm")).epsilon(1e-12));
  const double factor = clip_factor(norm, 1);
  CHECK(parameters[0].tensor.grad().to_vector<double>()[0] * factor ==
        doctest::Approx(golden.values("clip.one.clipped0")[0]).epsilon(1e-12));
  CHECK(clip_factor(norm, 100) == 1);
  CHECK(clip_factor(norm, 0) == 1);
  CHECK(clip_factor(0, 1) == 1);
}

TEST_CASE("frozen parameters and those without a gradient stay; the state goes round") {
  Tensor frozen = Tensor::ones({2, 2}), idle = Tensor::ones({2, 2}), trained = Tensor::ones({2, 2});
  idle.set_requires_grad(true);
  trained.set_requires_grad(true);
  const std::vector<NamedParameter> all = {{"frozen", frozen}, {"idle", idle}, {"trained", trained}};
  AdamW optimizer(all);
  CHECK(optimizer.state().size() == 5);  // two moments of each that wants a gradient, and their updates
  trained.set_grad(Tensor::ones({2, 2}));
  optimizer.step(0.1);
  CHECK(frozen.to_vector<float>() == std::vector<float>(4, 1));
  CHECK(idle.to_vector<float>() == std::vector<float>(4, 1));
  CHECK(trained.to_vector<float>()[0] < 0.95f);

  AdamW other(all);
  other.load_state(optimizer.state(), optimizer.steps());
  CHECK(other.state()[2].tensor.to_vector<float>() == optimizer.state()[2].tensor.to_vector<float>());
  CHECK(error_of([&] { other.load_state({}, 1); }).find("lacks 'exp_avg.idle'") != std::string::npos);
  CHECK(error_of([&] { AdamW(all, {.beta1 = 1}); }).find("betas must be in [0, 1)") != std::string::npos);
}
