// Updates whose numbers arrive later: their order, what is left out, and where training stops, on every
// device.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "tasks/train/trainer.h"
#include "tasks/train/update_step.h"
#include "tests/devices.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

struct Line : Module {
  Line() {
    weight = Tensor::full({2, 3}, 0.5);
    bias = Tensor::full({3}, 0.1);
    register_parameter("weight", weight);
    register_parameter("bias", bias);
  }
  Tensor weight, bias;
};

// Example i has the number x[i]; its loss is a mean of squares. `offset` is added to the loss of a part.
class SquaresTask : public Task {
 public:
  SquaresTask(std::vector<float> x, Device device) : x_(std::move(x)), device_(device) {
    line_.to({DType::Float32, device});
  }
  Module& model() override { return line_; }
  std::int64_t train_size() const override { return static_cast<std::int64_t>(x_.size()); }
  std::int64_t train_length(std::int64_t) const override { return 1; }
  double loss_terms(std::span<const std::int64_t> examples) const override {
    return static_cast<double>(examples.size());
  }
  LossPart loss(std::span<const std::int64_t> examples, std::int64_t, double normalizer) override {
    Tensor loss = Tensor::scalar(offset, {DType::Float32, device_});
    for (const std::int64_t i : examples) {
      const Tensor x = Tensor::from(std::vector<float>{x_[static_cast<std::size_t>(i)]}, device_);
      loss = loss + affine(sum(square(line_.weight * x + line_.bias)), 1 / normalizer, 0);
    }
    return {loss, static_cast<std::int64_t>(examples.size())};
  }
  std::vector<float> weights() const {
    std::vector<float> all = line_.weight.to_vector<float>();
    const std::vector<float> bias = line_.bias.to_vector<float>();
    all.insert(all.end(), bias.begin(), bias.end());
    return all;
  }

  double offset = 0;

 private:
  std::vector<float> x_;
  Device device_;
  Line line_;
};

constexpr float kHuge = 1e30f;  // its square is not finite

}  // namespace

TEST_CASE("numbers arrive in order; an update that is not finite is left out and named") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    SquaresTask task({1, 2, kHuge, 3}, device), undisturbed({1, 2, kHuge, 3}, device);
    AdamW optimizer(task.model().parameters()), plain(undisturbed.model().parameters());
    UpdateStep updates(task, task.model().parameters(), optimizer, world(), {});
    UpdateStep others(undisturbed, undisturbed.model().parameters(), plain, world(), {});
    updates.prepare(), others.prepare();
    const std::vector<float> start = task.weights();

    const UpdateStep::Counts counts = updates.start({{0}, {1, 3}}, 0, 0.1);
    CHECK(counts.examples == 3);
    CHECK(counts.tokens == 3);
    updates.start({{2}}, 1, 0.1);
    updates.start({{1}, {2}, {3}}, 2, 0.1);
    task.offset = std::numeric_limits<double>::infinity();
    updates.start({{3}}, 3, 0.1);
    task.offset = 0;
    updates.start({{3}}, 4, 0.05);
    CHECK(updates.under_way() == 5);
    CHECK(updates.next_is_here() == (device == Device{}));
    const char* wanted[] = {"", "the gradient of weight", "the gradient of weight", "the loss", ""};
    for (std::int64_t step = 0; step < 5; ++step) {
      const FinishedUpdate update = updates.finish();
      CHECK(update.step == step);
      CHECK(update.not_finite == wanted[step]);
      CHECK(update.lr == (step == 4 ? 0.05 : 0.1));
      CHECK(std::isfinite(update.loss) == update.not_finite.empty());
      CHECK(std::isfinite(update.norm) == update.not_finite.empty());
    }
    CHECK(updates.under_way() == 0);
    CHECK(optimizer.steps() == 2);

    others.start({{0}, {1, 3}}, 0, 0.1);
    others.start({{3}}, 1, 0.05);
    CHECK(task.weights() == undisturbed.weights());
    CHECK(task.weights() != start);
    CHECK(optimizer.state().back().tensor.to_vector<double>() == std::vector<double>{2, 2});
  }
}

TEST_CASE("training stops after five updates in a row, at the same one on every device") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    const TemporaryFolder folder;
    // The order of the examples does not matter: all are bad but in the first run.
    for (const bool bad : {false, true}) {
      SquaresTask task(std::vector<float>(12, bad ? kHuge : 1.0f), device);
      TrainerOptions options;
      options.batch_size = 2;
      options.epochs = 2;
      options.lr = 0.1;
      options.save_every = 3;
      options.out = folder.path(bad ? "bad" : "good");
      std::filesystem::create_directory(options.out);
      const std::string error = error_of([&] {
        const TrainResult result = train(task, options);
        CHECK(result.state.step == 12);
        CHECK(result.state.examples == 24);
        CHECK(result.state.skipped_steps == 0);
        CHECK(result.state.last_loss < 1);
      });
      CHECK(error.find(bad ? "the gradient of weight is not finite for 5 updates in a row (now at 4)" : "") !=
            std::string::npos);
      CHECK(error.empty() == !bad);
      std::ifstream log(options.out + "/metrics.jsonl");
      std::string line;
      int lines = 0;
      while (std::getline(log, line)) {
        CHECK(line.find(fmt::format("{{\"step\": {}, \"loss\"", ++lines)) == 0);
      }
      CHECK(lines == (bad ? 4 : 12));
    }
  }
}
