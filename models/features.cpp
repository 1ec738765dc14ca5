#include "models/features.h"

#include <charconv>

#include "autograd/check.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/rows.h"
#include "autograd/ops/softmax.h"

namespace sesame {
namespace {

constexpr double kNormEps = 1e-12;  // as BERT's own

Tensor normalised(const Tensor& x) {
  const Shape row = {x.size(-1)};
  return layer_norm(x, Tensor::ones(row, x.options()), Tensor::zeros(row, x.options()), kNormEps);
}

}  // namespace

FeatureOptions parse_features(const std::string& text, bool normalise) {
  if (text == "last") return {};
  if (text == "mix") return {.kind = FeatureKind::Mix, .normalise = normalise};
  const std::string prefix = "concat:";
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  if (text.starts_with(prefix)) {
    const auto [stop, error] = std::from_chars(text.data() + prefix.size(), end, count);
    if (error != std::errc() || stop != end) count = 0;
  }
  SESAME_CHECK(count > 0, "features", "unknown features '{}': expected last, mix or concat:K with K from 1",
               text);
  return {.kind = FeatureKind::Concat, .count = count, .normalise = normalise};
}

std::string features_text(const FeatureOptions& options) {
  if (options.kind == FeatureKind::Last) return "last";
  return options.kind == FeatureKind::Mix ? "mix" : fmt::format("concat:{}", options.count);
}

Features::Features(const FeatureOptions& options, std::int64_t layers, std::int64_t width)
    : options_(options), layers_(layers), width_(width) {
  if (options.kind == FeatureKind::Mix) {
    weights = Tensor::zeros({layers + 1});
    gamma = Tensor::ones({1});
    register_parameter("weights", weights);
    register_parameter("gamma", gamma);
  }
  SESAME_CHECK(options.kind != FeatureKind::Concat || (options.count >= 1 && options.count <= layers + 1),
               "features", "concat:{} wants 1 to {} states: the model has {} layers and the embeddings",
               options.count, layers + 1, layers);
}

Tensor Features::forward(const BertOutput& output) const {
  return needs_hidden() ? forward(output.hidden) : output.last;
}

Tensor Features::forward(const std::vector<Tensor>& hidden) const {
  SESAME_CHECK(
      !hidden.empty() && (!needs_hidden() || static_cast<std::int64_t>(hidden.size()) == layers_ + 1),
      "features", "{} wants the embeddings and {} layers, got {} states: ask for all_hidden",
      features_text(options_), layers_, hidden.size());
  if (options_.kind == FeatureKind::Last) return hidden.back();
  if (options_.kind == FeatureKind::Mix) return mix(hidden);
  std::vector<Tensor> last;
  for (auto state = hidden.end() - options_.count; state != hidden.end(); ++state) {
    last.push_back(options_.normalise ? normalised(*state) : *state);
  }
  return concat(last, 1);
}

Tensor Features::mix(const std::vector<Tensor>& hidden) const {
  const Tensor shares = softmax(weights) * gamma;  // [layers + 1]
  Tensor sum;
  for (std::size_t j = 0; j < hidden.size(); ++j) {
    const auto row = static_cast<std::int64_t>(j);
    const Tensor state = options_.normalise ? normalised(hidden[j]) : hidden[j];
    const Tensor part = state * shares.slice(0, row, row + 1);  // [T, H]
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

std::vector<double> Features::layer_weights() const {
  if (!weights.defined()) return {};
  const NoGradGuard no_grad;
  return softmax(weights).to(DType::Float64).to_vector<double>();
}

}  // namespace sesame
