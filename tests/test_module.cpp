// Module: registration, names, modes, moving; and the layers' shapes and errors.
#include <doctest/doctest.h>

#include "autograd/ops.h"
#include "autograd/random.h"
#include "nn/init.h"
#include "nn/layers/embedding.h"
#include "nn/layers/mlp.h"
#include "nn/layers/transformer_layer.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::error_of;

namespace {

// A module whose registrations the test chooses.
struct Free : Module {
  using Module::register_module;
  using Module::register_parameter;
};

std::vector<std::string> names(const Module& module) {
  std::vector<std::string> list;
  for (const NamedParameter& p : module.parameters()) list.push_back(p.name);
  return list;
}

TransformerLayerOptions small_layer(double dropout) {
  return {.width = 8, .heads = 2, .inner_width = 16, .dropout = dropout, .attention_dropout = dropout};
}

}  // namespace

TEST_CASE("names must be non-empty, without dots and new") {
  Free module;
  Tensor a = Tensor::zeros({2}), undefined;
  CHECK(error_of([&] { module.register_parameter("", a); }).find("must not be empty") != std::string::npos);
  CHECK(error_of([&] { module.register_parameter("x.y", a); }).find("must not contain a dot") !=
        std::string::npos);
  CHECK(error_of([&] { module.register_parameter("u", undefined); }).find("must have a value") !=
        std::string::npos);
  module.register_parameter("a", a);
  CHECK(error_of([&] { module.register_parameter("a", a); }).find("'a' is registered already") !=
        std::string::npos);
  Free child, other;
  CHECK(error_of([&] { module.register_module("a", child); }).find("registered already") !=
        std::string::npos);
  module.register_module("child", child);
  CHECK(error_of([&] { other.register_module("mine", child); }).find("belongs to another") !=
        std::string::npos);
  CHECK(error_of([&] { module.parameter("b"); }).find("no parameter 'b'") != std::string::npos);
}

TEST_CASE("a transformer layer carries Hugging Face's names in order") {
  const TransformerLayer layer(small_layer(0));
  CHECK(names(layer) == std::vector<std::string>{
                            "attention.self.query.weight", "attention.self.query.bias",
                            "attention.self.key.weight", "attention.self.key.bias",
                            "attention.self.value.weight", "attention.self.value.bias",
                            "attention.output.dense.weight", "attention.output.dense.bias",
                            "attention.output.LayerNorm.weight", "attention.output.LayerNorm.bias",
                            "intermediate.dense.weight", "intermediate.dense.bias", "output.dense.weight",
                            "output.dense.bias", "output.LayerNorm.weight", "output.LayerNorm.bias"});
  CHECK(layer.parameter_count() == 4 * (8 * 8 + 8) + 2 * 16 + (16 * 8 + 16) + (8 * 16 + 8));
}

TEST_CASE("query, key and value lie side by side and stay so when they are converted") {
  MultiHeadAttention attention({.width = 4, .heads = 2});
  init_bert(attention, 0.5, 1);
  const std::vector<float> before = attention.key.weight.to_vector<float>();
  attention.to({DType::Float64, {}});
  CHECK(attention.query.weight.dtype() == DType::Float64);
  CHECK(attention.query.weight.storage() == attention.value.weight.storage());
  CHECK(attention.key.weight.offset() == attention.query.weight.offset() + 16);
  CHECK(attention.value.bias.offset() == attention.query.bias.offset() + 8);
  CHECK(attention.key.weight.requires_grad());
  CHECK(attention.key.weight.to(DType::Float32).to_vector<float>() == before);
}

TEST_CASE("tied parameters are listed once and stay tied") {
  Free module;
  Tensor a = Tensor::ones({3}), b = a;
  module.register_parameter("a", a);
  module.register_parameter("b", b);
  CHECK(names(module) == std::vector<std::string>{"a"});
  module.to({DType::Float64, {}});
  CHECK(a.id() == b.id());
}

TEST_CASE("freezing one of the three projections leaves its gradient out and the others' unchanged") {
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 4, -1, 0, 2, 1}, {2, 4});
  const Segments segments({2});
  const auto gradients = [&](bool freeze) {
    MultiHeadAttention attention({.width = 4, .heads = 2});
    init_bert(attention, 0.5, 1);
    if (freeze) attention.key.weight.set_requires_grad(false);
    sum(square(attention.forward(x, segments))).backward();
    CHECK(attention.key.weight.grad().defined() == !freeze);
    return std::pair(attention.query.weight.grad().to_vector<float>(),
                     attention.value.weight.grad().to_vector<float>());
  };
  const auto all = gradients(false), some = gradients(true);
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(all.first[i] == doctest::Approx(some.first[i]).epsilon(1e-5));
    CHECK(all.second[i] == doctest::Approx(some.second[i]).epsilon(1e-5));
  }
}

TEST_CASE("evaluation mode switches dropout off and nothing else") {
  Dropout dropout(0.5);
  const Tensor x = Tensor::ones({4, 8});
  dropout.eval();
  CHECK(dropout.forward(x, {}).id() == x.id());
  dropout.train();
  CHECK(dropout.forward(x, {}).to_vector<float>() != x.to_vector<float>());
  CHECK(error_of([] { Dropout wrong(1.0); }).find("[0, 1)") != std::string::npos);
}

TEST_CASE("dropout repeats with the scope, differs by step, module and call, and follows the examples") {
  Free root;
  Dropout first(0.5), second(0.5);
  root.register_module("first", first);
  root.register_module("second", second);
  const Tensor x = Tensor::ones({6, 16});
  const Segments whole({2, 3, 1});
  const auto draw = [&](Dropout& module, std::uint64_t step) {
    const RandomScope scope(7, step);
    return module.forward(x, whole.token_keys()).to_vector<float>();
  };
  CHECK(draw(first, 1) == draw(first, 1));
  CHECK(draw(first, 1) != draw(first, 2));
  CHECK(draw(first, 1) != draw(second, 1));
  {
    const RandomScope scope(7, 1);
    const std::vector<float> one = first.forward(x, whole.token_keys()).to_vector<float>();
    CHECK(one != first.forward(x, whole.token_keys()).to_vector<float>());
  }
  // The third example alone, numbered as in the whole batch, draws what it drew there.
  const Segments part({1}, {.examples = {2}});
  const RandomScope scope(7, 1);
  const std::vector<float> alone = first.forward(Tensor::ones({1, 16}), part.token_keys()).to_vector<float>();
  const std::vector<float> all = draw(first, 1);
  CHECK(alone == std::vector<float>(all.begin() + 5 * 16, all.end()));
}

TEST_CASE("layers state their shapes in errors") {
  const Linear linear(4, 2);
  CHECK(error_of([&] { linear.forward(Tensor::zeros({3, 5})); }).find("linear") != std::string::npos);
  CHECK(error_of([] { MultiHeadAttention wrong({.width = 10, .heads = 3}); }).find("not divisible") !=
        std::string::npos);
  CHECK(error_of([] { Mlp wrong({4}); }).find("at least an input and an output") != std::string::npos);
  const Embedding embedding(5, 3);
  CHECK(embedding.forward(Tensor::from(std::vector<std::int64_t>{4, 0})).shape() == Shape{2, 3});
  CHECK(!error_of([&] { embedding.forward(Tensor::from(std::vector<std::int64_t>{5})); }).empty());
}

TEST_CASE("initial values depend on seed and name only") {
  TransformerLayer a(small_layer(0)), b(small_layer(0)), c(small_layer(0));
  init_bert(a, 0.02, 1);
  init_bert(b, 0.02, 1);
  init_bert(c, 0.02, 2);
  const std::string name = "output.dense.weight";
  CHECK(a.parameter(name).to_vector<float>() == b.parameter(name).to_vector<float>());
  CHECK(a.parameter(name).to_vector<float>() != c.parameter(name).to_vector<float>());
  CHECK(a.parameter("output.LayerNorm.weight").to_vector<float>() == std::vector<float>(8, 1.0f));
  CHECK(a.parameter("output.dense.bias").to_vector<float>() == std::vector<float>(8, 0.0f));
}
