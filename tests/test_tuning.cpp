// What is trained in each mode, by name; learning rates by layer; gradual unfreezing.
#include <set>

#include "autograd/ops/loss.h"
#include "models/tuning.h"
#include "nn/optim/adamw.h"
#include "tests/adapter_models.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Names = std::set<std::string>;

Names trained(const Module& model) {
  Names names;
  for (const NamedParameter& p : model.parameters()) {
    if (p.tensor.requires_grad()) names.insert(p.name);
  }
  return names;
}

// Both parameters of each.
Names pairs(const std::vector<std::string>& layers) {
  Names names;
  for (const std::string& layer : layers) names.insert({layer + ".weight", layer + ".bias"});
  return names;
}

Names operator+(Names a, const Names& b) {
  a.insert(b.begin(), b.end());
  return a;
}

Names layer_names(int layer) {
  const std::string at = "bert.encoder.layer." + std::to_string(layer) + ".";
  return pairs({at + "attention.self.query", at + "attention.self.key", at + "attention.self.value",
                at + "attention.output.dense", at + "attention.output.LayerNorm", at + "intermediate.dense",
                at + "output.dense", at + "output.LayerNorm"});
}

const Names kHead = {"classifier.weight", "classifier.bias"};
const Names kPooler = {"bert.pooler.dense.weight", "bert.pooler.dense.bias"};
const Names kEmbeddings = {"bert.embeddings.word_embeddings.weight",
                           "bert.embeddings.position_embeddings.weight",
                           "bert.embeddings.token_type_embeddings.weight", "bert.embeddings.LayerNorm.weight",
                           "bert.embeddings.LayerNorm.bias"};
const Names kNorms = {"bert.embeddings.LayerNorm.weight",
                      "bert.embeddings.LayerNorm.bias",
                      "bert.encoder.layer.0.attention.output.LayerNorm.weight",
                      "bert.encoder.layer.0.attention.output.LayerNorm.bias",
                      "bert.encoder.layer.0.output.LayerNorm.weight",
                      "bert.encoder.layer.0.output.LayerNorm.bias",
                      "bert.encoder.layer.1.attention.output.LayerNorm.weight",
                      "bert.encoder.layer.1.attention.output.LayerNorm.bias",
                      "bert.encoder.layer.1.output.LayerNorm.weight",
                      "bert.encoder.layer.1.output.LayerNorm.bias"};

}  // namespace

TEST_CASE("full, frozen and the top layers") {
  TinyClassifier model;
  const Names all = kHead + kPooler + kEmbeddings + layer_names(0) + layer_names(1);
  REQUIRE(all.size() == model.parameters().size());
  CHECK(set_tuning(model, {}).trained == model.parameter_count());
  CHECK(trained(model) == all);
  const TuneCounts frozen = set_tuning(model, {.mode = TuneMode::Frozen});
  CHECK(trained(model) == kHead);
  CHECK(frozen.trained == 99);
  CHECK(frozen.trunk_trained == 0);
  CHECK(frozen.text() == "99 of 21,699 parameters are trained (0.46 %)");
  CHECK(trunk_is_frozen(model));
  for (const TuneMode mode : {TuneMode::Full, TuneMode::Frozen}) {
    set_tuning(model, {.mode = mode, .unfreeze_top = 1});
    CHECK(trained(model) == kHead + kPooler + layer_names(1));
    set_tuning(model, {.mode = mode, .unfreeze_top = 2});
    CHECK(trained(model) == kHead + kPooler + layer_names(1) + layer_names(0));
  }
  CHECK_FALSE(trunk_is_frozen(model));
  CHECK(error_of([&] { set_tuning(model, {.unfreeze_top = 3}); }).find("the trunk has 2") !=
        std::string::npos);
}

TEST_CASE("adapters, with LayerNorms and without") {
  TinyClassifier model;
  CHECK(error_of([&] { set_tuning(model, {.mode = TuneMode::Adapter, .adapter = "t"}); }).find("'t'") !=
        std::string::npos);
  add_adapter(model.bert, AdapterConfig::houlsby(4), "t", {.norms = true});
  add_adapter(model.bert, AdapterConfig::pfeiffer(4), "other", {.norms = true});
  set_active_adapter(model.bert, "t");
  Names own;
  for (const char* place : {"0.attention.output", "0.output", "1.attention.output", "1.output"}) {
    const std::string at = std::string("bert.encoder.layer.") + place + ".adapters.t.";
    own = own + pairs({at + "adapter_down.0", at + "adapter_up"});
  }
  const TuneCounts counts = set_tuning(model, {.mode = TuneMode::Adapter, .adapter = "t"});
  CHECK(trained(model) == kHead + kNorms + own);
  CHECK(counts.trained == 99 + 10 * 32 + 4 * (2 * 4 * 32 + 4 + 32));
  set_tuning(model, {.mode = TuneMode::Adapter, .adapter_norms = false, .adapter = "t"});
  CHECK(trained(model) == kHead + own);
  set_tuning(model, {.mode = TuneMode::Adapter, .unfreeze_top = 1, .adapter_norms = false, .adapter = "t"});
  CHECK(trained(model) == kHead + own + kPooler + layer_names(1));
  set_tuning(model, {});
  CHECK(trained(model) == kHead + kPooler + kEmbeddings + layer_names(0) + layer_names(1));
}

TEST_CASE("low-rank updates") {
  TinyClassifier model;
  CHECK(error_of([&] { set_tuning(model, {.mode = TuneMode::Lora}); }).find("lora") != std::string::npos);
  add_lora(model.bert, {.rank = 4});
  set_tuning(model, {.mode = TuneMode::Lora});
  Names own;
  for (const char* part : {"0.attention.self.query", "0.attention.self.value", "1.attention.self.query",
                           "1.attention.self.value"}) {
    const std::string at = std::string("bert.encoder.layer.") + part;
    own.insert({at + ".lora_A.weight", at + ".lora_B.weight"});
  }
  CHECK(trained(model) == kHead + own);
}

TEST_CASE("biases only") {
  TinyClassifier model;
  set_tuning(model, {.mode = TuneMode::Bitfit});
  Names biases = kHead;
  for (const std::string& name : kPooler + kEmbeddings + layer_names(0) + layer_names(1)) {
    if (name.ends_with(".bias")) biases.insert(name);
  }
  CHECK(biases.size() == 2 + 1 + 1 + 16);
  CHECK(trained(model) == biases);
}

TEST_CASE("frozen parts record nothing and get no gradient") {
  TinyClassifier model;
  const Golden golden("tiny_bert");
  set_tuning(model, {.mode = TuneMode::Frozen});
  CHECK_FALSE(model.bert.forward(golden.batch("a.")).pooled.requires_grad());
  set_tuning(model, {.mode = TuneMode::Frozen, .unfreeze_top = 1});
  const BertOutput output = model.bert.forward(golden.batch("a."), {.all_hidden = true});
  CHECK_FALSE(output.hidden[1].requires_grad());
  CHECK(output.hidden[2].requires_grad());
  cross_entropy(model.classifier.forward(output.pooled), golden.labels("a.")).backward();
  for (const NamedParameter& p : model.parameters()) {
    CAPTURE(p.name);
    CHECK(p.tensor.grad().defined() == p.tensor.requires_grad());
  }
}

TEST_CASE("learning rates fall layer by layer") {
  const double x = 0.5;
  CHECK(layer_decay_factor("classifier.weight", 2, x) == 1);
  CHECK(layer_decay_factor("head.features.gamma", 2, x) == 1);
  CHECK(layer_decay_factor("bert.pooler.dense.weight", 2, x) == 0.5);
  CHECK(layer_decay_factor("bert.encoder.layer.1.output.dense.bias", 2, x) == 0.5);
  CHECK(layer_decay_factor("bert.encoder.layer.0.output.dense.bias", 2, x) == 0.25);
  CHECK(layer_decay_factor("bert.embeddings.LayerNorm.bias", 2, x) == 0.125);
  CHECK(layer_decay_factor("bert.encoder.layer.10.output.dense.bias", 12, x) == 0.25);
}

TEST_CASE("AdamW multiplies the rate by the parameter's factor") {
  const auto moved = [](double factor) {
    Tensor p = Tensor::full({2, 2}, 1, {.dtype = DType::Float64});
    p.set_requires_grad(true);
    AdamW optimizer({{"p", p}}, {.lr_factor = [factor](const std::string&) { return factor; }});
    p.set_grad(Tensor::full({2, 2}, 3, {.dtype = DType::Float64}));
    optimizer.step(0.1);
    return 1 - p.to_vector<double>()[0];
  };
  CHECK(moved(1) > 0.09);
  CHECK(moved(0.25) == doctest::Approx(moved(1) / 4).epsilon(1e-9));
  CHECK(moved(0) == 0);
  CHECK(error_of([&] { moved(-1); }).find("'p'") != std::string::npos);
}

TEST_CASE("a parameter thawed later starts like a new one, and a resumed optimiser knows it") {
  const auto make = [] {
    Tensor p = Tensor::full({3}, 1, {.dtype = DType::Float64});
    p.set_requires_grad(true);
    return NamedParameter{"p", p};
  };
  const Tensor grad = Tensor::full({3}, 0.1, {.dtype = DType::Float64});
  const NamedParameter late = make(), fresh = make();
  AdamW first({late}), second({fresh});
  for (int i = 0; i < 5; ++i) first.step(0.1);  // frozen: no gradient
  CHECK(late.tensor.to_vector<double>()[0] == 1);
  Tensor(late.tensor).set_grad(grad);
  Tensor(fresh.tensor).set_grad(grad);
  first.step(0.1), second.step(0.1);
  CHECK(late.tensor.to_vector<double>() == fresh.tensor.to_vector<double>());
  const NamedParameter resumed = make();
  AdamW third({resumed});
  third.load_state(first.state(), first.steps());
  {
    const NoGradGuard no_grad;
    Tensor(resumed.tensor).copy_(late.tensor);
  }
  Tensor(resumed.tensor).set_grad(grad);
  first.step(0.1), third.step(0.1);
  CHECK(resumed.tensor.to_vector<double>() == late.tensor.to_vector<double>());
}

TEST_CASE("gradual unfreezing goes from the top to the embeddings") {
  CHECK(unfrozen_groups(0, 1, 6) == 7);
  CHECK(unfrozen_groups(0, 3, 6) == 0);
  CHECK(unfrozen_groups(1, 3, 6) == 4);
  CHECK(unfrozen_groups(2, 3, 6) == 7);
  for (std::int64_t epoch = 0; epoch < 4; ++epoch) CHECK(unfrozen_groups(epoch, 4, 2) == epoch);
  TinyClassifier model;
  set_tuning(model, {});
  const std::vector<NamedParameter> parameters = model.parameters();
  const Names all = trained(model);
  unfreeze_groups(parameters, 0, 2);
  CHECK(trained(model) == kHead);
  unfreeze_groups(parameters, 1, 2);
  CHECK(trained(model) == kHead + kPooler + layer_names(1));
  unfreeze_groups(parameters, 2, 2);
  CHECK(trained(model) == kHead + kPooler + layer_names(1) + layer_names(0));
  unfreeze_groups(parameters, 3, 2);
  CHECK(trained(model) == all);
}

TEST_CASE("modes by name") {
  for (const char* name : {"full", "frozen", "adapter", "lora", "bitfit"}) {
    CHECK(tune_text(parse_tune(name)) == name);
  }
  CHECK(error_of([] { parse_tune("prefix"); }).find("bitfit") != std::string::npos);
}
