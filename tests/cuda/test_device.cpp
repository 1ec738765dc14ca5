// Whole models on a device against the golden files and against the CPU: values, gradients, training with
// dropout, the same bits twice, mixed precision, and memory.
#include <cmath>
#include <limits>
#include <memory>

#include "autograd/allocator.h"
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/comm/device_sum.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/rows.h"
#include "autograd/optimizer_step.h"
#include "autograd/precision.h"
#include "autograd/random.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "tests/golden_model.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

const Device kDevice{Device::Type::Cuda, 0};

// The golden tiny BERT; `dropout` replaces that of its configuration.
std::unique_ptr<GoldenClassifier> tiny(Device device, double dropout = 0) {
  BertConfig config = read_bert_config(tiny_bert_directory());
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout;
  auto model = std::make_unique<GoldenClassifier>(config, 3);
  load_weights(*model, WeightFiles(tiny_bert_directory()));
  model->to({DType::Float32, device});
  model->train(dropout > 0);
  return model;
}

struct Training {
  std::vector<double> losses;
  std::vector<std::vector<double>> weights;
};

Training train_tiny(Device device, DType compute, int steps) {
  const MixedPrecision precision(compute);
  const Golden golden("tiny_bert");
  const auto model = tiny(device, 0.1);
  const std::vector<NamedParameter> parameters = model->parameters();
  AdamW optimizer(parameters, {.weight_decay = 0.01});
  const PackedBatch batch = golden.batch("a.").to(device);
  const Tensor labels = golden.labels("a.").to(device);
  Training training;
  for (int step = 0; step < steps; ++step) {
    const RandomScope random(7, static_cast<std::uint64_t>(step));
    model->zero_grad();
    const Tensor loss = cross_entropy(model->logits(batch), labels);
    loss.backward();
    optimizer.step(1e-3, clip_factor(global_grad_norm(parameters), 1.0));
    training.losses.push_back(loss.item());
  }
  for (const NamedParameter& p : parameters) training.weights.push_back(doubles(p.tensor));
  return training;
}

// Logits, loss and all gradients against the golden file; the tolerances are relative but for the logits.
void check_golden(DType compute, double logits_off, double gradient_off) {
  const MixedPrecision precision(compute);
  const Golden golden("tiny_bert");
  const auto model = tiny(kDevice);
  const Tensor logits = model->logits(golden.batch("a.").to(kDevice));
  const double off = largest_difference(doubles(logits), golden.values("logits"));
  CHECK(off < logits_off);
  const Tensor loss = cross_entropy(logits, golden.labels("a.").to(kDevice));
  CHECK(loss.item() == doctest::Approx(golden.value("loss")).epsilon(gradient_off));
  loss.backward();
  const double global = golden.value("grad_norm");
  CHECK(global_grad_norm(model->parameters()) == doctest::Approx(global).epsilon(gradient_off));
  double worst = 0;
  for (const NamedParameter& parameter : model->parameters()) {
    CAPTURE(parameter.name);
    const std::vector<double> wanted = golden.values("grad." + parameter.name);
    std::vector<double> difference = doubles(parameter.tensor.grad());
    REQUIRE(difference.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) difference[i] -= wanted[i];
    const double error = norm_of(difference) / (norm_of(wanted) + 0.01 * global);
    CHECK(error < gradient_off);
    worst = std::max(worst, error);
  }
  MESSAGE(std::string(dtype_name(compute)), ": logits off by ", off, ", gradients by ", worst);
}

}  // namespace

TEST_CASE("golden BERT in float32") { check_golden(DType::Float32, 2e-5, 2e-4); }
TEST_CASE("golden BERT in bfloat16") { check_golden(DType::BFloat16, 5e-2, 6e-2); }

TEST_CASE("training with dropout follows the CPU") {
  const Training cpu = train_tiny({}, DType::Float32, 30), there = train_tiny(kDevice, DType::Float32, 30);
  for (std::size_t i = 0; i < cpu.losses.size(); ++i) {
    CAPTURE(i);
    CHECK(there.losses[i] == doctest::Approx(cpu.losses[i]).epsilon(1e-3));
  }
}

TEST_CASE("bfloat16 with float32 weights learns as float32 does") {
  const Training single = train_tiny(kDevice, DType::Float32, 30),
                 half = train_tiny(kDevice, DType::BFloat16, 30);
  CHECK(half.losses.back() < 0.7 * half.losses.front());
  CHECK(half.losses.back() == doctest::Approx(single.losses.back()).epsilon(0.2));
}

TEST_CASE("twice the same bits") {
  for (const DType compute : {DType::Float32, DType::BFloat16}) {
    const Training first = train_tiny(kDevice, compute, 5), second = train_tiny(kDevice, compute, 5);
    CHECK(first.losses == second.losses);
    CHECK(first.weights == second.weights);
  }
}

TEST_CASE("memory comes back, and a step of equal shape takes no new one") {
  release_cached_memory(kDevice);
  const std::size_t before = allocator_stats(kDevice).bytes_in_use;
  train_tiny(kDevice, DType::Float32, 2);
  const std::uint64_t taken = allocator_stats(kDevice).system_allocations;
  train_tiny(kDevice, DType::Float32, 4);
  CHECK(allocator_stats(kDevice).system_allocations == taken);
  CHECK(allocator_stats(kDevice).bytes_in_use == before);
  release_cached_memory(kDevice);
  CHECK(allocator_stats(kDevice).bytes_cached == 0);
}

TEST_CASE("what has no row in the tables of ops: top_k, write_rows, SGD") {
  RandomStream random(5);
  std::vector<float> values(5 * 700);
  for (float& x : values) x = static_cast<float>(std::floor(40 * random.uniform()));  // many equal ones
  values[3] = std::numeric_limits<float>::quiet_NaN();
  const Tensor x = Tensor::from(values, {5, 700});
  const TopK here = top_k(x, 9), there = top_k(x.to(kDevice), 9);
  CHECK(here.index.to_vector<std::int64_t>() == there.index.to_vector<std::int64_t>());
  CHECK(here.values.to_vector<float>() == there.values.to_vector<float>());

  const std::vector<std::int64_t> rows = {7, 0, 4};
  const auto written = [&](Device device) {
    Tensor table = Tensor::zeros({8, 20}, {DType::Float32, device});
    write_rows(table, Tensor::from(rows, device), x.to(device).slice(0, 1, 4).slice(1, 10, 30));
    return table.to_vector<float>();
  };
  CHECK(written({}) == written(kDevice));

  const auto stepped = [&](Device device) {
    const Tensor weight = x.slice(0, 1, 5).clone().to(device), buffer = zeros_like(weight);
    const Tensor grad = Tensor::full(weight.shape(), 0.5, weight.options());
    for (int i = 0; i < 3; ++i) {
      sgd_step(weight, grad, buffer, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.01, .grad_scale = 2});
    }
    return doubles(weight);
  };
  CHECK(largest_difference(stepped({}), stepped(kDevice)) < 5e-5);  // of numbers up to 40
}

// More ranks than one: tasks.sh.
TEST_CASE("sums of one rank are its own numbers, by NCCL and through the host's memory") {
  const auto comm = make_null_comm();
  std::vector<std::unique_ptr<DeviceSum>> ways;
  ways.push_back(make_host_sum(*comm));
  if (cuda::sum_obstacle().empty()) {
    ways.push_back(cuda::make_sum(*comm, 0));
  } else {
    MESSAGE("without NCCL: " << cuda::sum_obstacle());
  }
  for (const auto& way : ways) {
    CAPTURE(way->description());
    const Tensor values = Tensor::from(std::vector<float>{1, 2, 3}).to(kDevice);
    for (int i = 0; i < 2; ++i) {
      way->start(values);
      way->wait();
      CHECK(values.to(Device{}).to_vector<float>() == std::vector<float>{1, 2, 3});
    }
  }
}

TEST_CASE("errors on a device") {
  const auto text = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string memory = text([] { Tensor::empty({std::int64_t{1} << 46}, {DType::UInt8, kDevice}); });
  for (const char* part :
       {"out of memory on cuda:0", "MB asked for", "MB in use", "MB free", "lower the batch size"}) {
    CHECK_MESSAGE(memory.find(part) != std::string::npos, memory);
  }
  const Tensor x = Tensor::ones({2, 2}, {DType::Float64, kDevice});
  const std::string type = text([&] { exp(x); });
  CHECK_MESSAGE(type.find("no float64 kernel on cuda:0") != std::string::npos, type);
  const std::string none = text([] { cuda::table(cuda::device_count()); });
  CHECK_MESSAGE(none.find("was asked for, but this machine has") != std::string::npos, none);
  CHECK(x.to(DType::Float32).to(Device{}).to_vector<float>() ==
        std::vector<float>(4, 1.0f));  // all is well after them
}
