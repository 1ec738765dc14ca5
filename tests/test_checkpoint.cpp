// Strict loading: what matches, the known variants of names, and the words for what does not.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "models/checkpoint.h"
#include "models/pretrained.h"
#include "nn/layers/linear.h"
#include "tests/temporary.h"

using namespace sesame;
using sesame::testing::contains;
using sesame::testing::error_of;
using sesame::testing::TemporaryFolder;

namespace {

BertConfig small_config() {
  BertConfig config;
  config.vocab_size = 11;
  config.hidden_size = 8;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.intermediate_size = 12;
  config.max_position_embeddings = 6;
  return config;
}

// A trunk with a head, as tasks build it.
struct Classifier : Module {
  explicit Classifier(std::int64_t classes, bool pooler = true)
      : bert(small_config(), pooler), classifier(8, classes) {
    register_module("bert", bert);
    register_module("classifier", classifier);
    init_bert_model(*this, small_config(), 3);
  }
  Bert bert;
  Linear classifier;
};

NamedTensors copy_of(const Module& module) {
  NamedTensors copy;
  for (const auto& [name, tensor] : state_dict(module)) copy.emplace_back(name, tensor.clone());
  return copy;
}

template <class Rename>
NamedTensors renamed(const NamedTensors& tensors, Rename rename) {
  NamedTensors out;
  for (const auto& [name, tensor] : tensors) {
    if (std::string fresh = rename(name); !fresh.empty()) out.emplace_back(fresh, tensor);
  }
  return out;
}

void add(NamedTensors& tensors, const std::string& name, const Shape& shape) {
  tensors.emplace_back(name, Tensor::ones(shape));
}

bool same_values(const Module& a, const Module& b) {
  const NamedTensors left = state_dict(a), right = state_dict(b);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.template to_vector<float>() == y.second.template to_vector<float>();
  });
}

std::string without_prefix(const std::string& name) {
  return name.starts_with("bert.") ? name.substr(5) : name;
}

void zero(Module& module) {
  const NoGradGuard no_grad;
  for (const NamedParameter& parameter : module.parameters()) Tensor(parameter.tensor).fill_(0);
}

}  // namespace

TEST_CASE("names and shapes of a trunk are Hugging Face's") {
  const Bert bert(small_config());
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state_dict(bert)) names.push_back(name + " " + tensor.shape().str());
  std::sort(names.begin(), names.end());
  const std::string layer = "encoder.layer.0.";
  std::vector<std::string> expected = {"embeddings.word_embeddings.weight (11, 8)",
                                       "embeddings.position_embeddings.weight (6, 8)",
                                       "embeddings.token_type_embeddings.weight (2, 8)",
                                       "embeddings.LayerNorm.weight (8,)",
                                       "embeddings.LayerNorm.bias (8,)",
                                       "pooler.dense.weight (8, 8)",
                                       "pooler.dense.bias (8,)",
                                       layer + "intermediate.dense.weight (12, 8)",
                                       layer + "intermediate.dense.bias (12,)",
                                       layer + "output.dense.weight (8, 12)"};
  for (const char* part :
       {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}) {
    expected.push_back(layer + part + ".weight (8, 8)");
    expected.push_back(layer + part + ".bias (8,)");
  }
  for (const char* part : {"attention.output.LayerNorm.weight", "attention.output.LayerNorm.bias",
                           "output.LayerNorm.weight", "output.LayerNorm.bias", "output.dense.bias"}) {
    expected.push_back(layer + part + " (8,)");
  }
  std::sort(expected.begin(), expected.end());
  CHECK(names == expected);
}

TEST_CASE("a file written from a model loads into another, in place") {
  const TemporaryFolder folder;
  Classifier from(3), to(3);
  save_safetensors(folder.path("f"), state_dict(from));
  zero(to);
  const Tensor joined = to.bert.encoder.layer[0].attention.self.query.weight;
  const LoadReport report = load_weights(to, WeightFiles(folder.path("f")));
  CHECK(same_values(from, to));
  CHECK(report.loaded.size() == from.parameters().size());
  CHECK(report.summary() == fmt::format("{} tensors loaded", report.loaded.size()));
  const MultiHeadAttention& self = to.bert.encoder.layer[0].attention.self;
  CHECK(self.query.weight.storage() == joined.storage());
  CHECK(self.query.weight.storage() == self.value.weight.storage());
  CHECK(self.query.weight.requires_grad());
}

TEST_CASE("known variants of names") {
  Classifier from(3);
  const NamedTensors state = copy_of(from);
  const auto loads = [&](const NamedTensors& tensors, Module& into) {
    zero(into);
    return load_weights(into, tensors, "file", {.ignore = {"classifier"}});
  };
  Classifier whole(3);
  loads(renamed(state, without_prefix), whole);
  CHECK(same_values(from, whole));

  Bert trunk(small_config());
  const LoadReport report = loads(state, trunk);
  CHECK(same_values(from.bert, trunk));
  CHECK(report.ignored == std::vector<std::string>{"classifier.weight", "classifier.bias"});

  const auto old = [](std::string name) {
    const std::size_t norm = name.find("LayerNorm.");
    if (norm != std::string::npos)
      name = name.substr(0, norm) + (name.ends_with("weight") ? "LayerNorm.gamma" : "LayerNorm.beta");
    return name;
  };
  loads(renamed(state, old), whole);
  CHECK(same_values(from, whole));

  NamedTensors more = state;
  more.emplace_back("bert.embeddings.position_ids",
                    Tensor::from(std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}, {1, 6}));
  add(more, "cls.predictions.transform.dense.weight", {8, 8});
  add(more, "cls.seq_relationship.bias", {2});
  const LoadReport pretraining = loads(more, whole);
  CHECK(same_values(from, whole));
  CHECK(pretraining.ignored ==
        std::vector<std::string>{"cls.predictions.transform.dense.weight", "cls.seq_relationship.bias"});
  CHECK(contains(pretraining.summary(), "2 of the file not used (cls.predictions.transform.dense.weight, "));

  // The word embeddings stored only under the name of the tied output layer.
  const NamedTensors tied = renamed(state, [](const std::string& name) {
    return name == "bert.embeddings.word_embeddings.weight" ? "cls.predictions.decoder.weight" : name;
  });
  loads(tied, whole);
  CHECK(same_values(from, whole));
}

TEST_CASE("other floating types are converted, integers are not") {
  Classifier from(2), to(2);
  NamedTensors doubles;
  for (const auto& [name, tensor] : state_dict(from))
    doubles.emplace_back(name, tensor.detach().to(DType::Float64));
  zero(to);
  load_weights(to, doubles, "file");
  CHECK(same_values(from, to));
  NamedTensors integers = copy_of(from);
  for (auto& [name, tensor] : integers) {
    if (name == "classifier.bias") tensor = tensor.to(DType::Int64);
  }
  const std::string error = error_of([&] { load_weights(to, integers, "file"); });
  CHECK_MESSAGE(contains(error, "1 mismatched (classifier.bias: file (2,) I64, model (2,) float32)"), error);
}

TEST_CASE("what does not fit: one line with counts and the first three, all with verbose, nothing written") {
  Classifier from(3), to(2);
  NamedTensors state = renamed(copy_of(from), [](const std::string& name) {
    return contains(name, "pooler") || contains(name, "intermediate") ? "" : name;
  });
  add(state, "x.a", {1});
  add(state, "x.b", {1});
  add(state, "x.c", {1});
  add(state, "x.d", {1});
  zero(to);
  const std::string error = error_of([&] { load_weights(to, state, "dir/model.safetensors"); });
  CHECK(error ==
        "[dir/model.safetensors] the weights do not fit the model: 4 missing "
        "(bert.encoder.layer.0.intermediate.dense.weight, "
        "bert.encoder.layer.0.intermediate.dense.bias, bert.pooler.dense.weight and 1 more), "
        "4 unexpected (x.a, x.b, x.c and 1 more), "
        "2 mismatched (classifier.weight: file (3, 8) F32, model (2, 8) float32, "
        "classifier.bias: file (3,) F32, model (2,) float32); --verbose lists all");
  const std::string verbose = error_of([&] { load_weights(to, state, "f", {.verbose = true}); });
  CHECK(contains(verbose, "x.c, x.d)"));
  CHECK(contains(verbose, "bert.pooler.dense.bias)"));
  CHECK(!contains(verbose, "--verbose"));
  Classifier zeros(2);
  zero(zeros);
  CHECK(same_values(to, zeros));
}

TEST_CASE("fresh parts load whole or not at all") {
  const LoadOptions options{.fresh = {"classifier", "bert.pooler"}};
  Classifier from(3);
  const NamedTensors state = copy_of(from);
  Classifier same(3);
  zero(same);
  CHECK(load_weights(same, state, "f", options).fresh.empty());
  CHECK(same_values(from, same));

  Classifier other(2);
  const std::vector<float> before = other.classifier.bias.to_vector<float>();
  const LoadReport report = load_weights(other, state, "f", options);
  CHECK(report.fresh == std::vector<std::string>{"classifier.weight", "classifier.bias"});
  CHECK(contains(report.summary(), "2 fresh (classifier.weight, classifier.bias)"));
  CHECK(other.classifier.bias.to_vector<float>() == before);

  // Half of a head is not a head.
  const NamedTensors half = renamed(
      state, [](const std::string& name) { return name == "classifier.bias" ? std::string() : name; });
  CHECK(load_weights(same, half, "f", options).fresh.size() == 2);
  CHECK(contains(error_of([&] { load_weights(same, half, "f"); }), "1 missing (classifier.bias)"));
}

TEST_CASE("a directory goes out and comes back") {
  const TemporaryFolder folder;
  Classifier model(3);
  BertConfig config = small_config();
  config.labels = {"a", "b", "c"};
  save_pretrained(folder.path("out"), model, config, "BertForSequenceClassification");
  const LoadedBert loaded = load_bert(folder.path("out"));
  CHECK(same_values(model.bert, *loaded.model));
  CHECK(loaded.config.labels == config.labels);
  CHECK(loaded.config.architectures == std::vector<std::string>{"BertForSequenceClassification"});
  CHECK(loaded.report.ignored.size() == 2);
  CHECK(load_bert(folder.path("out"), {.pooler = PoolerChoice::Never}).report.ignored.size() == 4);
  CHECK(contains(error_of([&] { load_bert(folder.path("absent")); }), "is not a directory"));
  std::filesystem::remove(folder.path("out/model.safetensors"));
  CHECK(contains(error_of([&] { load_bert(folder.path("out")); }), "has no weights"));
  std::filesystem::remove(folder.path("out/config.json"));
  CHECK(contains(error_of([&] { load_bert(folder.path("out")); }), "config.json] cannot be opened"));
}

TEST_CASE("a trunk without a pooler") {
  const TemporaryFolder folder;
  const Classifier model(3, false);
  save_pretrained(folder.path(), model, small_config(), "BertForTokenClassification");
  CHECK(!load_bert(folder.path()).model->has_pooler());
  const LoadedBert fresh = load_bert(folder.path(), {.pooler = PoolerChoice::Always, .seed = 5});
  CHECK(fresh.report.fresh == std::vector<std::string>{"pooler.dense.weight", "pooler.dense.bias"});
  const std::vector<float> weight = fresh.model->pooler->dense.weight.to_vector<float>();
  CHECK(std::any_of(weight.begin(), weight.end(), [](float value) { return value != 0; }));
  const LoadedBert again = load_bert(folder.path(), {.pooler = PoolerChoice::Always, .seed = 5});
  CHECK(again.model->pooler->dense.weight.to_vector<float>() == weight);
}

TEST_CASE("a random start keeps the shape, forgets the weights and repeats with its seed") {
  const std::string directory = std::string(SESAME_SOURCE_DIR) + "/tests/golden/tiny_bert";
  const LoadedBert a = load_bert(directory, {.random_init = true, .seed = 1});
  const LoadedBert b = load_bert(directory, {.random_init = true, .seed = 1});
  const LoadedBert c = load_bert(directory, {.random_init = true, .seed = 2});
  CHECK(same_values(*a.model, *b.model));
  CHECK(!same_values(*a.model, *c.model));
  CHECK(a.report.loaded.empty());
  const std::vector<float> words = a.model->embeddings.word_embeddings.weight.to_vector<float>();
  double squares = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i < 32) CHECK(words[i] == 0);
    squares += static_cast<double>(words[i]) * words[i];
  }
  const double deviation = std::sqrt(squares / static_cast<double>(words.size() - 32));
  CHECK(deviation == doctest::Approx(0.02).epsilon(0.1));
  const TransformerLayer& layer = a.model->encoder.layer[0];
  CHECK(layer.output.layer_norm.weight.to_vector<float>() == std::vector<float>(32, 1.0f));
  CHECK(layer.intermediate.dense.bias.to_vector<float>() == std::vector<float>(64, 0.0f));
}
