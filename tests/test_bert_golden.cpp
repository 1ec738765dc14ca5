// BERT against Hugging Face's in float64 (tests/golden): hidden states, pooled output, logits, losses, the
// gradient of every parameter, and ten training steps. Tolerances are those of the project's contract.
#include <doctest/doctest.h>

#include "autograd/engine.h"
#include "autograd/ops/loss.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "nn/optim/schedule.h"
#include "tests/golden_model.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

constexpr double kHidden = 2e-5;        // largest error of hidden states and pooled output
constexpr double kGradient = 1e-4;      // of a gradient's norm ...
constexpr double kGradientRest = 1e-7;  // ... plus this of the norm of all gradients together
constexpr double kLoss = 2e-6;

// Runs the ten steps of the golden files and returns the largest errors of loss and, relative, of the
// gradient norm.
struct TrainingErrors {
  double loss = 0, grad_norm = 0;
  NamedTensors losses;  // "loss.0" ...
};

TrainingErrors train_ten_steps(GoldenClassifier& model, const Golden& golden,
                               const std::vector<std::string>& prefixes, double lr) {
  const std::vector<double> losses = golden.values("train.loss"), rates = golden.values("train.lr"),
                            norms = golden.values("train.grad_norm");
  const std::vector<NamedParameter> parameters = model.parameters();
  AdamW optimizer(parameters, {.weight_decay = 0.01});
  const Schedule schedule{.kind = ScheduleKind::Linear, .warmup = 2, .total = 10};
  TrainingErrors errors;
  for (std::size_t step = 0; step < losses.size(); ++step) {
    const std::string& prefix = prefixes[step % prefixes.size()];
    model.zero_grad();
    const Tensor loss = cross_entropy(model.logits(golden.batch(prefix)), golden.labels(prefix));
    loss.backward();
    const double norm = global_grad_norm(parameters);
    errors.loss = std::max(errors.loss, std::abs(loss.item() - losses[step]));
    errors.losses.emplace_back("loss." + std::to_string(step), loss.detach());
    errors.grad_norm = std::max(errors.grad_norm, std::abs(norm / norms[step] - 1));
    const double rate = lr * schedule.factor(static_cast<std::int64_t>(step));
    CHECK(rate == doctest::Approx(rates[step]).epsilon(1e-12));
    optimizer.step(rate, clip_factor(norm, 1.0));
  }
  return errors;
}

// Largest relative error of the parameters' norms after training. Key biases move by rounding noise only.
double final_norm_error(const GoldenClassifier& model, const Golden& golden) {
  double worst = 0;
  for (const NamedParameter& parameter : model.parameters()) {
    if (parameter.name.ends_with("self.key.bias")) continue;
    const double wanted = golden.value("train.final_norm." + parameter.name);
    worst = std::max(worst, std::abs(norm_of(doubles(parameter.tensor)) - wanted) / (wanted + 1e-3));
  }
  return worst;
}

void load_tiny(GoldenClassifier& model, DType dtype) {
  load_weights(model, WeightFiles(tiny_bert_directory()));
  model.to({.dtype = dtype});
}

void check_tiny(DType dtype, double hidden_tolerance, double gradient, double gradient_rest,
                double loss_tolerance) {
  const Golden golden("tiny_bert");
  GoldenClassifier model(read_bert_config(tiny_bert_directory()), 3);
  load_tiny(model, dtype);
  const PackedBatch batch = golden.batch("a.");
  CHECK(batch.position_ids.to_vector<std::int64_t>() == golden.integers("a.positions"));
  const BertOutput output = model.bert.forward(batch, {.all_hidden = true});
  REQUIRE(output.hidden.size() == 3);
  double worst_hidden = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double error =
        largest_difference(doubles(output.hidden[i]), golden.values("hidden." + std::to_string(i)));
    worst_hidden = std::max(worst_hidden, error);
  }
  CHECK(worst_hidden < hidden_tolerance);
  const double pooled = largest_difference(doubles(output.pooled), golden.values("pooled"));
  CHECK(pooled < hidden_tolerance);
  const Tensor logits = model.classifier.forward(output.pooled);
  CHECK(largest_difference(doubles(logits), golden.values("logits")) < hidden_tolerance);
  const Tensor loss = cross_entropy(logits, golden.labels("a."));
  CHECK(std::abs(loss.item() - golden.value("loss")) < loss_tolerance);
  loss.backward();
  const double global = golden.value("grad_norm");
  CHECK(global_grad_norm(model.parameters()) == doctest::Approx(global).epsilon(gradient));
  double worst_gradient = 0;  // as a share of what is allowed
  for (const NamedParameter& parameter : model.parameters()) {
    CAPTURE(parameter.name);
    const std::vector<double> wanted = golden.values("grad." + parameter.name),
                              got = doubles(parameter.tensor.grad());
    REQUIRE(got.size() == wanted.size());
    std::vector<double> difference = got;
    for (std::size_t i = 0; i < wanted.size(); ++i) difference[i] -= wanted[i];
    const double allowed = gradient * norm_of(wanted) + gradient_rest * global;
    CHECK(norm_of(difference) <= allowed);
    worst_gradient = std::max(worst_gradient, norm_of(difference) / allowed);
  }
  MESSAGE(std::string(dtype_name(dtype)), ": hidden states off by ", worst_hidden, ", pooled by ", pooled,
          ", worst gradient at ", worst_gradient, " of what is allowed");
}

}  // namespace

TEST_CASE("tiny BERT in float32: hidden states, loss, all gradients") {
  check_tiny(DType::Float32, kHidden, kGradient, kGradientRest, kLoss);
}

TEST_CASE("tiny BERT in float64: the same to float64 precision") {
  check_tiny(DType::Float64, 1e-11, 1e-10, 1e-12, 1e-12);
}

TEST_CASE("tiny BERT with other activations") {
  const Golden golden("tiny_bert");
  for (const char* activation : {"gelu_new", "relu"}) {
    BertConfig config = read_bert_config(tiny_bert_directory());
    config.hidden_act = activation;
    GoldenClassifier model(config, 3);
    load_tiny(model, DType::Float32);
    const std::vector<double> wanted = golden.values(std::string(activation) + ".logits");
    CHECK(largest_difference(doubles(model.logits(golden.batch("a."))), wanted) < kHidden);
  }
}

TEST_CASE("regression and multi-label losses on the pooled output") {
  const Golden golden("tiny_bert");
  GoldenClassifier model(read_bert_config(tiny_bert_directory()), 3);
  load_tiny(model, DType::Float64);
  const Tensor pooled = model.bert.forward(golden.batch("a.")).pooled.detach();
  for (const std::string head : {"mse", "bce"}) {
    const Tensor targets = golden.tensor(head + ".targets");
    Linear layer(32, head == "mse" ? 1 : 3);
    layer.to({.dtype = DType::Float64});
    load_weights(
        layer, {{"weight", golden.tensor(head + ".weight")}, {"bias", golden.tensor(head + ".bias")}}, head);
    const Tensor logits = layer.forward(pooled);
    CHECK(largest_difference(doubles(logits), golden.values(head + ".logits")) < 1e-11);
    const Tensor loss =
        head == "mse" ? mse_loss(logits.reshape({-1}), targets) : bce_with_logits(logits, targets);
    CHECK(std::abs(loss.item() - golden.value(head + ".loss")) < 1e-11);
    loss.backward();
    CHECK(largest_difference(doubles(layer.weight.grad()), golden.values(head + ".grad.weight")) < 1e-11);
    CHECK(largest_difference(doubles(layer.bias.grad()), golden.values(head + ".grad.bias")) < 1e-11);
  }
}

TEST_CASE("tiny BERT: ten training steps") {
  const Golden golden("tiny_bert");
  for (const DType dtype : {DType::Float32, DType::Float64}) {
    GoldenClassifier model(read_bert_config(tiny_bert_directory()), 3);
    load_tiny(model, dtype);
    const TrainingErrors errors = train_ten_steps(model, golden, {"a.", "b."}, 1e-3);
    const double final_norms = final_norm_error(model, golden);
    MESSAGE(std::string(dtype_name(dtype)), ": losses off by ", errors.loss, ", gradient norms by ",
            errors.grad_norm, ", final parameter norms by ", final_norms);
    CHECK(errors.loss < (dtype == DType::Float32 ? kLoss : 1e-9));
    CHECK(errors.grad_norm < (dtype == DType::Float32 ? 1e-5 : 1e-9));
    CHECK(final_norms < (dtype == DType::Float32 ? 1e-5 : 1e-9));
  }
}

namespace {

// What tests/golden/compare_minilm.py reads: all of MiniLM's states and gradients, and the losses, are
// written to the file that $SESAME_DUMP names, if it names one.
void dump(const NamedTensors& more) {
  static NamedTensors all;
  const char* path = std::getenv("SESAME_DUMP");
  if (path == nullptr) return;
  for (const auto& [name, tensor] : more) all.emplace_back(name, tensor.detach().clone());
  save_safetensors(path, all);
}

// Loads MiniLM with the golden classifier; its bias is zero.
void load_minilm(GoldenClassifier& model, const std::string& directory, const Golden& golden) {
  const LoadReport report = load_weights(model, WeightFiles(directory), {.fresh = {"classifier"}});
  CHECK(report.fresh.size() == 2);
  CHECK(report.ignored.empty());
  const NoGradGuard no_grad;
  model.classifier.weight.copy_(golden.tensor("classifier.weight"));
}

}  // namespace

TEST_CASE("MiniLM: hidden states, pooled output, all gradients") {
  const std::string directory = minilm_directory();
  if (directory.empty()) return;
  const Golden golden("minilm");
  GoldenClassifier model(read_bert_config(directory), 2);
  load_minilm(model, directory, golden);
  const BertOutput output = model.bert.forward(golden.batch(""), {.all_hidden = true});
  const double last = largest_difference(doubles(output.last), golden.values("hidden.last"));
  const double pooled = largest_difference(doubles(output.pooled), golden.values("pooled"));
  CHECK(last < kHidden);
  CHECK(pooled < kHidden);
  double worst_rms = 0;
  for (std::size_t i = 0; i < output.hidden.size(); ++i) {
    const std::vector<double> projections = golden.values("hidden_projection." + std::to_string(i));
    const double distance = projected_distance(doubles(output.hidden[i]), projections);
    worst_rms = std::max(worst_rms, distance / std::sqrt(static_cast<double>(output.hidden[i].numel())));
  }
  CHECK(worst_rms < kHidden / 4);
  const Tensor logits = model.classifier.forward(output.pooled);
  const Tensor loss = cross_entropy(logits, golden.labels(""));
  CHECK(largest_difference(doubles(logits), golden.values("logits")) < kHidden);
  CHECK(std::abs(loss.item() - golden.value("loss")) < kLoss);
  loss.backward();
  NamedTensors dumped = {{"pooled", output.pooled}, {"logits", logits}};
  for (std::size_t i = 0; i < output.hidden.size(); ++i) {
    dumped.emplace_back("hidden." + std::to_string(i), output.hidden[i]);
  }
  const double global = golden.value("grad_norm");
  double worst_gradient = 0;
  for (const NamedParameter& parameter : model.parameters()) {
    CAPTURE(parameter.name);
    dumped.emplace_back("grad." + parameter.name, parameter.tensor.grad());
    const std::vector<double> got = doubles(parameter.tensor.grad());
    const double wanted = golden.value("grad_norm." + parameter.name);
    const double allowed = kGradient * wanted + kGradientRest * global;
    const double distance = projected_distance(got, golden.values("grad_projection." + parameter.name));
    CHECK(distance <= allowed);
    CHECK(std::abs(norm_of(got) - wanted) <= allowed);
    worst_gradient = std::max(worst_gradient, distance / allowed);
  }
  dump(dumped);
  MESSAGE("last hidden states off by ", last, ", pooled by ", pooled, ", all layers by ", worst_rms,
          " (root mean square), worst gradient at ", worst_gradient, " of what is allowed");
}

TEST_CASE("MiniLM: ten training steps") {
  const std::string directory = minilm_directory();
  if (directory.empty()) return;
  const Golden golden("minilm");
  GoldenClassifier model(read_bert_config(directory), 2);
  load_minilm(model, directory, golden);
  const TrainingErrors errors = train_ten_steps(model, golden, {"train."}, 2e-5);
  dump(errors.losses);
  const double final_norms = final_norm_error(model, golden);
  MESSAGE("losses off by ", errors.loss, ", gradient norms by ", errors.grad_norm,
          ", final parameter norms by ", final_norms);
  CHECK(errors.loss < kLoss);
  CHECK(errors.grad_norm < 1e-4);
  CHECK(final_norms < 1e-5);
}
