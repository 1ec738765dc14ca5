// Sequences as output against Hugging Face in float64 (tests/golden): a decoder with cross-attention, and a
// masked language model under the prefix pattern; logits, loss, the gradient of every parameter.
#include <doctest/doctest.h>

#include "autograd/engine.h"
#include "autograd/ops/loss.h"
#include "models/generation/decoder_model.h"
#include "models/generation/self_model.h"
#include "tests/golden_model.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

constexpr std::int64_t kBegin = 2, kEnd = 3;

// The script's draw_weights: element e of the p-th name in sorted order.
void draw_weights(Module& module, const std::string& prefix) {
  std::vector<NamedParameter> parameters;
  for (const NamedParameter& p : module.parameters()) {
    if (p.name.starts_with(prefix)) parameters.push_back(p);
  }
  std::sort(parameters.begin(), parameters.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  const NoGradGuard no_grad;
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    Tensor& tensor = parameters[p].tensor;
    std::vector<double> values;
    for (std::uint64_t e = 0; e < static_cast<std::uint64_t>(tensor.numel()); ++e) {
      const std::uint64_t bits = splitmix64((static_cast<std::uint64_t>(p) << 32) + e);
      const double x = (static_cast<double>(bits >> 11) * 0x1p-53 - 0.5) * 0.6;
      values.push_back(x + (parameters[p].name.ends_with("LayerNorm.weight") ? 1 : 0));
    }
    tensor.copy_(Tensor::from(values, tensor.shape()).to(tensor.dtype()));
  }
}

std::vector<SequencePair> examples_of(const Golden& golden, const std::string& prefix) {
  const std::vector<std::int64_t> targets = golden.integers(prefix + "targets");
  const std::vector<std::int64_t> lengths = golden.integers(prefix + "target_lengths");
  std::vector<SequencePair> examples;
  auto target = targets.begin();
  for (const TokenSequence& source : golden.sequences(prefix)) {
    const std::int64_t length = lengths[examples.size()];
    examples.push_back({source, {target, target + length}});
    target += length;
  }
  return examples;
}

Tensor labels_of(const std::vector<SequencePair>& examples) {
  std::vector<std::int64_t> labels;
  for (const SequencePair& example : examples) {
    labels.insert(labels.end(), example.target.begin(), example.target.end());
    labels.push_back(kEnd);
  }
  return Tensor::from(labels);
}

void check_golden(SequenceModel& model, const std::string& prefix, DType dtype) {
  const Golden golden("generation");
  const bool single = dtype == DType::Float32;
  model.to({.dtype = dtype});
  model.eval();
  const std::vector<SequencePair> examples = examples_of(golden, prefix);
  const Tensor logits = model.teacher_forced(examples);
  const double worst_logit = largest_difference(doubles(logits), golden.values(prefix + "logits"));
  CHECK(worst_logit < (single ? 2e-5 : 1e-11));
  const Tensor loss = cross_entropy(logits, labels_of(examples));
  CHECK(std::abs(loss.item() - golden.value(prefix + "loss")) < (single ? 2e-6 : 1e-12));
  loss.backward();
  double all = 0;
  for (const NamedParameter& p : model.parameters()) {
    const double norm = golden.value(prefix + "grad_norm." + p.name);
    all += norm * norm;
  }
  double worst = 0;
  for (const NamedParameter& p : model.parameters()) {
    CAPTURE(p.name);
    const double norm = golden.value(prefix + "grad_norm." + p.name);
    const double allowed = (single ? 1e-4 : 1e-10) * norm + (single ? 1e-6 : 1e-12) * std::sqrt(all);
    REQUIRE(p.tensor.grad().defined());
    const double distance =
        projected_distance(doubles(p.tensor.grad()), golden.values(prefix + "grad_projection." + p.name));
    CHECK(distance <= allowed);
    worst = std::max(worst, distance / allowed);
  }
  MESSAGE(prefix, std::string(dtype_name(dtype)), ": logits off by ", worst_logit, ", worst gradient at ",
          worst, " of what is allowed");
}

}  // namespace

TEST_CASE("version 1 equals BertModel as a decoder with cross-attention") {
  for (const DType dtype : {DType::Float64, DType::Float32}) {
    DecoderModel model(read_bert_config(tiny_bert_directory()),
                       {.layers = 2, .vocab_size = 20, .begin_id = kBegin, .end_id = kEnd});
    load_weights(model, WeightFiles(tiny_bert_directory()),
                 {.fresh = {"head"}, .ignore = {"classifier", "bert.pooler"}});
    draw_weights(model, "head.decoder.");
    check_golden(model, "decoder.", dtype);
  }
}

TEST_CASE("version 2 equals BertForMaskedLM with a prefix mask") {
  for (const DType dtype : {DType::Float64, DType::Float32}) {
    SelfModel model(read_bert_config(tiny_bert_directory()), kEnd);
    load_weights(model, WeightFiles(tiny_bert_directory()),
                 {.fresh = {"cls"}, .ignore = {"classifier", "bert.pooler"}});
    draw_weights(model, "cls.");
    check_golden(model, "self.", dtype);
  }
}
