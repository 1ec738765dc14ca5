// Recorded work on a device: what is replayed equals what was run, for batches of other sizes and contents,
// with dropout, forward and backward.
#include <memory>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/precision.h"
#include "autograd/random.h"
#include "autograd/recording.h"
#include "models/adapters/adapters.h"
#include "nn/optim/adamw.h"
#include "tests/golden_model.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

const Device kDevice{Device::Type::Cuda, 0};

std::unique_ptr<GoldenClassifier> tiny(double dropout) {
  BertConfig config = read_bert_config(tiny_bert_directory());
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout;
  auto model = std::make_unique<GoldenClassifier>(config, 3);
  load_weights(*model, WeightFiles(tiny_bert_directory()));
  model->to({DType::Float32, kDevice});
  model->train(dropout > 0);
  return model;
}

// A batch of `count` sentences, other ones for each seed.
PackedBatch batch_of(std::size_t count, std::uint64_t seed, std::int64_t longest = 9) {
  RandomStream random(seed);
  std::vector<TokenSequence> sequences(count);
  for (std::size_t i = 0; i < count; ++i) {
    sequences[i].example = static_cast<std::int64_t>(i);
    const auto length = 2 + random.below(static_cast<std::uint64_t>(longest - 1));
    for (std::uint64_t t = 0; t < length; ++t)
      sequences[i].ids.push_back(static_cast<std::int64_t>(random.below(30)));
  }
  return pack_batch(sequences, 32, kDevice);
}

Tensor labels_of(std::size_t count) {
  std::vector<std::int64_t> labels(count);
  for (std::size_t i = 0; i < count; ++i) labels[i] = static_cast<std::int64_t>(i % 3);
  return Tensor::from(labels, kDevice);
}

struct Trained {
  std::vector<double> losses;
  std::vector<std::vector<double>> weights;
};

// Steps over batches of changing sizes; each update has `parts` parts of its own size.
Trained train(bool recorded, DType compute, int parts = 1) {
  const MixedPrecision precision(compute);
  std::unique_ptr<RecordingScope> scope;
  if (recorded) scope = std::make_unique<RecordingScope>();
  const auto model = tiny(0.1);
  const std::vector<NamedParameter> parameters = model->parameters();
  // A large eps: padding may change the rounding of sums, and AdamW would blow up what is rounding alone (the
  // gradient of the keys' bias is 0) to whole steps.
  AdamW optimizer(parameters, {.eps = 1e-3, .weight_decay = 0.01});
  Trained trained;
  for (std::uint64_t step = 0; step < 12; ++step) {
    model->zero_grad();
    for (int part = 0; part < parts; ++part) {
      const RandomScope random(7, step);
      const std::size_t count = 3 + (step + static_cast<std::uint64_t>(part)) % 2;
      const Tensor loss =
          cross_entropy(model->logits(batch_of(count, 10 * step + static_cast<std::uint64_t>(part))),
                        labels_of(count), {.normalizer = 4});
      loss.backward();
      trained.losses.push_back(loss.item());
    }
    optimizer.step(1e-3);
  }
  for (const NamedParameter& p : parameters) trained.weights.push_back(doubles(p.tensor));
  return trained;
}

double worst(const Trained& a, const Trained& b) {
  double off = largest_difference(a.losses, b.losses);
  for (std::size_t i = 0; i < a.weights.size(); ++i)
    off = std::max(off, largest_difference(a.weights[i], b.weights[i]));
  return off;
}

}  // namespace

TEST_CASE("a recorded pass equals a run one, for each batch") {
  const NoGradGuard no_grad;
  const auto model = tiny(0);
  model->eval();
  for (std::uint64_t seed = 0; seed < 9; ++seed) {
    CAPTURE(seed);
    const PackedBatch batch = batch_of(2 + seed % 2, seed);
    const std::vector<double> plain = doubles(model->logits(batch));
    const RecordingScope recorded;
    CHECK(largest_difference(doubles(model->logits(batch)), plain) < 1e-5);
  }
}

TEST_CASE("recorded training follows the plain one, dropout included") {
  CHECK(worst(train(true, DType::Float32), train(false, DType::Float32)) < 1e-5);
  CHECK(worst(train(true, DType::BFloat16), train(false, DType::BFloat16)) < 5e-2);
}

TEST_CASE("gradients of several recorded parts add up") {
  CHECK(worst(train(true, DType::Float32, 3), train(false, DType::Float32, 3)) < 1e-5);
}

TEST_CASE("recorded training gives the same bits twice") {
  const Trained a = train(true, DType::BFloat16), b = train(true, DType::BFloat16);
  CHECK(a.losses == b.losses);
  CHECK(a.weights == b.weights);
}

TEST_CASE("two passes before one backward pass: the second one is run") {
  const RecordingScope recorded;
  const auto model = tiny(0);
  const PackedBatch one = batch_of(3, 1), other = batch_of(3, 2);
  const auto gradients = [&] {
    model->zero_grad();
    const Tensor a = model->logits(one), b = model->logits(other);
    sum(a * b).backward();
    std::vector<double> all;
    for (const NamedParameter& p : model->parameters()) {
      const std::vector<double> grad = doubles(p.tensor.grad());
      all.insert(all.end(), grad.begin(), grad.end());
    }
    return all;
  };
  const std::vector<double> first = gradients();  // nothing is recorded yet
  for (int i = 0; i < 3; ++i) CHECK(largest_difference(gradients(), first) < 1e-4);
}

TEST_CASE("frozen parameters and another adapter are noticed") {
  const RecordingScope recorded;
  const auto model = tiny(0);
  const PackedBatch batch = batch_of(3, 1);
  const auto run = [&] {
    model->zero_grad();
    const Tensor logits = model->logits(batch);
    if (logits.requires_grad()) sum(logits * logits).backward();
    return doubles(logits);
  };
  for (int i = 0; i < 3; ++i) run();
  const Tensor words = model->parameter("bert.embeddings.word_embeddings.weight");
  CHECK(words.grad().defined());
  model->set_requires_grad(false);
  const std::vector<double> base = run();
  CHECK(!words.grad().defined());
  add_adapter(model->bert, AdapterConfig::houlsby(4), "a", {.seed = 3});
  set_active_adapter(model->bert, "a");
  model->to({DType::Float32, kDevice});
  std::vector<double> adapted;
  for (int i = 0; i < 3; ++i) adapted = run();
  CHECK(largest_difference(adapted, base) > 1e-6);
  set_active_adapter(model->bert, "");
  CHECK(largest_difference(run(), base) < 1e-5);
}

TEST_CASE("what cannot be recorded is an error, and work goes on") {
  const auto space = std::make_shared<RecordingSpace>(kDevice);
  const Tensor x = Tensor::ones({4}, {DType::Float32, kDevice});
  const auto record = [&](const std::function<Tensor()>& work) {
    return std::make_shared<RecordedFunction>(
        space, [&] { return std::vector<Tensor>{work()}; }, std::vector<Tensor>{});
  };
  CHECK_THROWS_AS(record([&] { return x * Tensor::from(std::vector<float>(4, 2.0f), kDevice); }), Error);
  CHECK_THROWS_AS(record([&] { return affine(x, x.to_vector<float>()[0], 0); }), Error);
  const auto doubled = record([&] { return affine(x, 2, 0); });
  Tensor contents = x;
  contents.fill_(5);
  CHECK(doubled->call()[0].to_vector<float>() == std::vector<float>(4, 10.0f));
}
