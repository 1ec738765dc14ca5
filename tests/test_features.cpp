// Features of a trunk: the mix of layers against PyTorch, concatenation, and what is refused.
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "models/features.h"
#include "nn/init.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

std::vector<Tensor> tiny_hidden(const Golden& tiny, bool with_gradient = false) {
  std::vector<Tensor> hidden;
  for (int i = 0; i < 3; ++i) {
    hidden.push_back(tiny.tensor("hidden." + std::to_string(i)).clone());
    hidden.back().set_requires_grad(with_gradient);
  }
  return hidden;
}

}  // namespace

TEST_CASE("the mix of layers equals PyTorch: values and gradients, plain and normalised") {
  const Golden golden("adapter"), tiny("tiny_bert");
  for (const bool normalise : {false, true}) {
    const std::string prefix = std::string("mix.") + (normalise ? "normalised." : "plain.");
    const std::vector<Tensor> hidden = tiny_hidden(tiny, true);
    Features features(parse_features("mix", normalise), 2, 32);
    features.to({.dtype = DType::Float64});
    {
      const NoGradGuard no_grad;
      features.weights.copy_(golden.tensor("mix.weights"));
      features.gamma.copy_(golden.tensor("mix.gamma"));
    }
    const Tensor y = features.forward(hidden);
    CHECK(largest_difference(doubles(y), golden.values(prefix + "y")) < 1e-11);
    sum(y * golden.tensor("mix.dy")).backward();
    CHECK(largest_difference(doubles(features.weights.grad()), golden.values(prefix + "dweights")) < 1e-10);
    CHECK(largest_difference(doubles(features.gamma.grad()), golden.values(prefix + "dgamma")) < 1e-10);
    CHECK(largest_difference(doubles(hidden[1].grad()), golden.values(prefix + "dh1")) < 1e-10);
  }
}

TEST_CASE("a fresh mix is the mean of all layers, also after BERT's initial values were given to it") {
  const std::vector<Tensor> hidden = tiny_hidden(Golden("tiny_bert"));
  Features features(parse_features("mix"), 2, 32);
  init_bert(features, 0.02, 1);
  CHECK(features.layer_weights() == std::vector<double>(3, 1.0F / 3));
  features.to({.dtype = DType::Float64});
  const NoGradGuard no_grad;
  const Tensor mean = (hidden[0] + hidden[1] + hidden[2]) * (1.0 / 3);
  CHECK(largest_difference(doubles(features.forward(hidden)), doubles(mean)) < 1e-6);
  CHECK(features.width() == 32);
  CHECK(features.parameters().size() == 2);
}

TEST_CASE("a normalised row does not depend on its batch") {
  const std::vector<Tensor> hidden = tiny_hidden(Golden("tiny_bert"));
  std::vector<Tensor> first;
  for (const Tensor& state : hidden) first.push_back(state.slice(0, 0, 1));
  Features features(parse_features("mix", true), 2, 32);
  features.to({.dtype = DType::Float64});
  const NoGradGuard no_grad;
  const Tensor all = features.forward(hidden).slice(0, 0, 1).contiguous();
  CHECK(doubles(all) == doubles(features.forward(first)));
}

TEST_CASE("last and concatenated layers") {
  Bert bert(read_bert_config(tiny_bert_directory()));
  load_weights(bert, WeightFiles(tiny_bert_directory()), {.ignore = {"classifier"}});
  bert.eval();
  const NoGradGuard no_grad;
  const PackedBatch batch = Golden("tiny_bert").batch("a.");
  const Features last(parse_features("last"), 2, 32), two(parse_features("concat:2"), 2, 32);
  CHECK_FALSE(last.needs_hidden());
  CHECK(last.parameters().empty());
  const BertOutput output = bert.forward(batch, {.all_hidden = two.needs_hidden()});
  CHECK(last.forward(output).id() == output.last.id());
  CHECK(two.width() == 64);
  const Tensor joined = two.forward(output);
  CHECK(joined.shape() == Shape{output.last.size(0), 64});
  CHECK(doubles(joined.slice(1, 0, 32).contiguous()) == doubles(output.hidden[1]));
  CHECK(doubles(joined.slice(1, 32, 64).contiguous()) == doubles(output.last));
  CHECK(error_of([&] { two.forward(bert.forward(batch)); }).find("all_hidden") != std::string::npos);
}

TEST_CASE("features by name") {
  for (const char* text : {"last", "mix", "concat:4"}) CHECK(features_text(parse_features(text)) == text);
  for (const char* text : {"", "concat", "concat:", "concat:0", "concat:-1", "concat:2x", "elmo"}) {
    CAPTURE(text);
    CHECK(error_of([&] { parse_features(text); }).find("concat:K") != std::string::npos);
  }
  CHECK(error_of([] { Features(parse_features("concat:4"), 2, 32); }).find("1 to 3") != std::string::npos);
}
