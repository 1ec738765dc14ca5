// Numbers that go wrong in training: losses and gradients that are not finite, models that answer the same to
// all.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "tasks/metrics/collapse.h"
#include "tasks/train/trainer.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

struct OneWeight : Module {
  OneWeight() { register_parameter("weight", weight); }
  Tensor weight = Tensor::ones({2});
};

// The mean of w^2, times a factor that the test gives for each update.
struct Spoiled : Task {
  explicit Spoiled(std::vector<double> factors) : factors_(std::move(factors)) {}
  Module& model() override { return model_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(factors_.size()); }
  std::int64_t train_length(std::int64_t) const override { return 1; }
  double loss_terms(std::span<const std::int64_t> examples) const override {
    return static_cast<double>(examples.size());
  }
  LossPart loss(std::span<const std::int64_t>, std::int64_t, double) override {
    return {mean(model_.weight * model_.weight) * Tensor::full({}, factors_.at(updates_++)), 1};
  }

  OneWeight model_;
  std::vector<double> factors_;
  std::size_t updates_ = 0;
};

TrainResult train_on(Spoiled& task, const std::string& out) {
  return train(task, {.epochs = 1, .batch_size = 1, .lr = 0.1, .warmup = 0, .out = out, .fingerprint = "{}"});
}

}  // namespace

TEST_CASE("an update without a finite loss or gradient is left out and counted; five in a row end the run") {
  const TemporaryFolder folder;
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  Spoiled sound({1, 1, 1}), spoiled({1, nan, 1, inf, 1});
  CHECK(train_on(sound, folder.path()).state.skipped_steps == 0);
  const TrainResult result = train_on(spoiled, folder.path());
  CHECK(result.state.skipped_steps == 2);
  CHECK(result.state.step == 5);
  for (const float value : spoiled.model_.weight.to_vector<float>()) {
    CHECK(std::isfinite(value));
    CHECK(value < 1);
  }
  Spoiled lost({1, nan, nan, nan, nan, nan, 1});
  const std::string error = error_of([&] { train_on(lost, folder.path()); });
  CHECK_MESSAGE(contains(error, "the gradient of weight is not finite for 5 updates in a row (now at 5)"),
                error);
  CHECK_MESSAGE(contains(error, "lower --lr"), error);
}

TEST_CASE("predictions that are all the same are pointed out, where the data is not") {
  std::vector<std::string> gold(20, "no");
  const std::vector<std::string> constant(20, "yes");
  CHECK(collapse_text(constant, gold).empty());  // the data has one class only
  gold[3] = "yes";
  CHECK(contains(collapse_text(constant, gold), "all 20 predictions are 'yes'"));
  CHECK(collapse_text(gold, gold).empty());
  CHECK(collapse_text({"a", "a"}, {"a", "b"}).empty());  // too few to tell
}
