// Adapters and LoRA: values and gradients against AdapterHub's library and PyTorch, and several adapters on
// one trunk.
#include "autograd/engine.h"
#include "autograd/ops/loss.h"
#include "models/tuning.h"
#include "nn/init.h"
#include "nn/optim/adamw.h"
#include "tests/adapter_models.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Logits, loss and the gradients of what is trained; everything else must get no gradient.
void check_golden(GoldenClassifier& model, const std::string& prefix, double tolerance, std::size_t trained) {
  const Golden golden("adapter"), batches("tiny_bert");
  const Tensor logits = model.logits(batches.batch("a."));
  CHECK(largest_difference(doubles(logits), golden.values(prefix + "logits")) < tolerance);
  const Tensor loss = cross_entropy(logits, batches.labels("a."));
  CHECK(std::abs(loss.item() - golden.value(prefix + "loss")) < tolerance);
  loss.backward();
  std::size_t with_gradient = 0;
  for (const NamedParameter& p : model.parameters()) {
    CAPTURE(p.name);
    CHECK(p.tensor.grad().defined() == p.tensor.requires_grad());
    if (!p.tensor.grad().defined()) continue;
    ++with_gradient;
    const std::vector<double> wanted = golden.values(prefix + "grad." + p.name);
    CHECK(largest_difference(doubles(p.tensor.grad()), wanted) < tolerance * (1 + norm_of(wanted)));
  }
  CHECK(with_gradient == trained);
}

std::vector<double> flat(const NamedTensors& tensors) {
  std::vector<double> values;
  for (const auto& entry : tensors) {
    const std::vector<double> part = doubles(entry.second);
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

}  // namespace

TEST_CASE("Houlsby's and Pfeiffer's adapters equal AdapterHub's: logits and all gradients") {
  for (const std::string kind : {"houlsby", "pfeiffer"}) {
    for (const DType dtype : {DType::Float64, DType::Float32}) {
      CAPTURE(kind);
      AdaptedClassifier model(kind, dtype, true);
      set_tuning(model, {.mode = TuneMode::Adapter, .adapter = "t"});
      // The adapters, five LayerNorms and the classifier; weight and bias each.
      check_golden(model, kind + ".", dtype == DType::Float64 ? 1e-11 : 3e-5,
                   (kind == "houlsby" ? 16 : 8) + 12);
    }
  }
}

TEST_CASE("low-rank updates equal PyTorch: logits and all gradients, and merged weights do the same") {
  for (const DType dtype : {DType::Float64, DType::Float32}) {
    const double tolerance = dtype == DType::Float64 ? 1e-11 : 3e-5;
    TinyClassifier model(dtype);
    const PackedBatch batch = Golden("tiny_bert").batch("a.");
    const std::vector<double> before = model.logit_values(batch);
    add_lora(model.bert, {.rank = 4, .alpha = 6});
    CHECK(model.logit_values(batch) == before);  // B is zero
    CHECK(load_golden_weights(model, Golden("adapter"), "lora.") == 8);
    set_tuning(model, {.mode = TuneMode::Lora});
    check_golden(model, "lora.", tolerance, 10);
    CHECK(lora_weights(model.bert).front().first ==
          "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight");
    CHECK(lora_weights(model.bert).size() == 8);
    const std::size_t parameters = model.parameters().size();
    CHECK(merge_lora(model.bert));
    CHECK(model.parameters().size() == parameters - 8);
    CHECK(largest_difference(model.logit_values(batch), Golden("adapter").values("lora.logits")) < tolerance);
    CHECK_FALSE(merge_lora(model.bert));
  }
}

TEST_CASE("low-rank updates take part in every way that attention is asked") {
  MultiHeadAttention attention({.width = 8, .heads = 2});
  for (NamedParameter& p : attention.parameters()) init_normal(p.tensor, 0, 0.5, init_key(1, p.name));
  attention.query.add_low_rank({.rank = 2, .alpha = 2}, 3);
  attention.value.add_low_rank({.rank = 2, .alpha = 2}, 3);
  init_normal(attention.parameter("query.lora_B.weight"), 0, 0.5, 4);
  init_normal(attention.parameter("value.lora_B.weight"), 0, 0.5, 5);
  Tensor x = Tensor::zeros({5, 8});
  init_normal(x, 0, 1, 6);
  const NoGradGuard no_grad;
  const Segments segments({3, 2});
  const std::vector<double> self = doubles(attention.forward(x, segments));
  const std::vector<double> cross =
      doubles(attention.forward(x, attention.keys_values(x), segments, segments));
  CHECK(largest_difference(self, cross) < 1e-6);
  Tensor cache = Tensor::zeros({5, 16});
  const CacheStep step{segments, segments, Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 4}),
                       AttentionPattern::Bidirectional};
  CHECK(largest_difference(self, doubles(attention.forward(x, step, cache))) < 1e-6);
  attention.query.merge_low_rank();
  attention.value.merge_low_rank();
  CHECK(largest_difference(self, doubles(attention.forward(x, segments))) < 1e-5);
}

TEST_CASE("a trunk with adapters of which none is active computes the same bits") {
  TinyClassifier model;
  const PackedBatch batch = Golden("tiny_bert").batch("a.");
  const std::vector<double> base = model.logit_values(batch);
  for (const std::string kind : {"houlsby", "pfeiffer"}) {
    add_adapter(model.bert, AdapterConfig::of_kind(kind, 8), kind, {.norms = true, .seed = 3});
    CHECK(model.logit_values(batch) == base);
    set_active_adapter(model.bert, kind);
    const std::vector<double> fresh = model.logit_values(batch);
    CHECK(fresh != base);
    CHECK(largest_difference(fresh, base) < 0.05);  // near identity
    set_active_adapter(model.bert, "");
    CHECK(model.logit_values(batch) == base);
  }
}

TEST_CASE("several adapters share a trunk and keep their own weights and LayerNorms") {
  TinyClassifier model;
  const PackedBatch batch = Golden("tiny_bert").batch("a.");
  const Tensor labels = Golden("tiny_bert").labels("a.");
  const std::vector<double> base = model.logit_values(batch), base_values = flat(base_tensors(model.bert));
  add_adapter(model.bert, AdapterConfig::houlsby(8), "a", {.norms = true, .seed = 1});
  add_adapter(model.bert, AdapterConfig::pfeiffer(5), "b", {.norms = true, .seed = 2});
  add_adapter(model.bert, AdapterConfig::houlsby(4), "c", {.norms = false, .seed = 3});
  const auto train = [&](const std::string& name) {
    set_active_adapter(model.bert, name);
    set_tuning(model, {.mode = TuneMode::Adapter, .adapter_norms = name != "c", .adapter = name});
    for (NamedParameter& p : model.parameters()) {  // the head stays
      if (p.name.starts_with("classifier")) p.tensor.set_requires_grad(false);
    }
    AdamW optimizer(model.parameters());
    for (int step = 0; step < 3; ++step) {
      model.zero_grad();
      cross_entropy(model.logits(batch), labels).backward();
      optimizer.step(1e-2);
    }
    return model.logit_values(batch);
  };
  std::vector<std::vector<double>> trained;
  for (const char* name : {"a", "b", "c"}) trained.push_back(train(name));
  CHECK(active_adapter(model.bert) == "c");
  CHECK(flat(base_tensors(model.bert)) == base_values);
  set_active_adapter(model.bert, "b");
  CHECK(model.logit_values(batch) == trained[1]);
  CHECK(flat(base_tensors(model.bert)) == base_values);
  // A change of type while "b" is active reaches all of them.
  model.to({.dtype = DType::Float64});
  set_active_adapter(model.bert, "a");
  CHECK(largest_difference(model.logit_values(batch), trained[0]) < 1e-5);
  set_active_adapter(model.bert, "c");
  CHECK(largest_difference(model.logit_values(batch), trained[2]) < 1e-5);
  set_active_adapter(model.bert, "");
  CHECK(largest_difference(model.logit_values(batch), base) < 1e-5);
  CHECK(model.bert.adapters->names() == std::vector<std::string>{"a", "b", "c"});
  CHECK(model.bert.adapters->norms("a").size() == 10);
  CHECK(model.bert.adapters->norms("c").empty());
  CHECK(flat(model.bert.adapters->norms("a")) != flat(model.bert.adapters->norms("b")));
}

TEST_CASE("adapters in chosen places") {
  TinyClassifier model;
  add_adapter(model.bert, {.size = 3, .after_feed_forward = false, .leave_out = {0}}, "upper");
  const NamedTensors weights = model.bert.adapters->weights("upper");
  REQUIRE(weights.size() == 4);
  CHECK(weights[0].first == "bert.encoder.layer.1.attention.output.adapters.upper.adapter_down.0.weight");
  CHECK(weights[0].second.shape() == Shape{3, 32});
  CHECK(weights[3].first == "bert.encoder.layer.1.attention.output.adapters.upper.adapter_up.bias");
}

TEST_CASE("what cannot be is refused with the reason") {
  TinyClassifier model;
  Bert& bert = model.bert;
  set_active_adapter(bert, "");
  CHECK(error_of([&] { set_active_adapter(bert, "t"); }).find("the model has none") != std::string::npos);
  add_adapter(bert, AdapterConfig::houlsby(4), "t");
  CHECK(error_of([&] { add_adapter(bert, AdapterConfig::houlsby(4), "t"); }).find("already") !=
        std::string::npos);
  CHECK(error_of([&] { add_adapter(bert, AdapterConfig::houlsby(4), "a.b"); }).find("dot") !=
        std::string::npos);
  CHECK(error_of([&] { set_active_adapter(bert, "u"); }).find("it has t") != std::string::npos);
  CHECK(error_of([&] { add_adapter(bert, {.leave_out = {2}}, "v"); }).find("layers are 0 to 1") !=
        std::string::npos);
  CHECK(error_of([&] { AdapterConfig::of_kind("parallel", 4); }).find("houlsby or pfeiffer") !=
        std::string::npos);
  CHECK(error_of([&] { add_lora(bert, {.rank = 0}); }).find("rank") != std::string::npos);
  add_lora(bert);
  CHECK(error_of([&] { add_lora(bert); }).find("already") != std::string::npos);
}
