#include "tasks/study/weights.h"

#include <cmath>

#include "autograd/check.h"
#include "autograd/random.h"

namespace sesame {
namespace {

void check_same(std::size_t a, std::size_t b) {
  SESAME_CHECK(a == b, "study", "points of different models: {} and {} tensors", a, b);
}

std::size_t count(const Tensor& tensor) { return static_cast<std::size_t>(tensor.numel()); }

}  // namespace

Weights copy_weights(const Module& model) {
  Weights weights;
  for (const NamedParameter& p : model.parameters()) {
    SESAME_CHECK(p.tensor.dtype() == DType::Float32 && p.tensor.device() == Device{}, "study",
                 "{} is not float32 on the CPU", p.name);
    weights.push_back(p.tensor.detach().clone());
  }
  return weights;
}

void set_weights(Module& model, const Weights& weights) {
  const NoGradGuard no_grad;
  std::vector<NamedParameter> parameters = model.parameters();
  check_same(parameters.size(), weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) parameters[i].tensor.copy_(weights[i]);
}

void set_weights(Module& model, const Weights& base, double step, const Weights& direction) {
  const NoGradGuard no_grad;
  std::vector<NamedParameter> parameters = model.parameters();
  check_same(parameters.size(), base.size());
  check_same(base.size(), direction.size());
  for (std::size_t i = 0; i < base.size(); ++i) {
    parameters[i].tensor.copy_(base[i]);
    parameters[i].tensor.add_(direction[i], step);
  }
}

Weights difference(const Weights& a, const Weights& b) {
  Weights result;
  for (const Tensor& tensor : a) result.push_back(tensor.clone());
  add_to(result, -1, b);
  return result;
}

void add_to(Weights& weights, double step, const Weights& direction) {
  check_same(weights.size(), direction.size());
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i].add_(direction[i], step);
}

void scale(Weights& weights, double factor) {
  for (Tensor& tensor : weights) {
    auto* values = tensor.mutable_data<float>();
    for (std::size_t i = 0; i < count(tensor); ++i) values[i] = static_cast<float>(values[i] * factor);
  }
}

double dot(const Weights& a, const Weights& b) {
  check_same(a.size(), b.size());
  double sum = 0;
  for (std::size_t t = 0; t < a.size(); ++t) {
    const auto *x = a[t].data<float>(), *y = b[t].data<float>();
    SESAME_CHECK(count(a[t]) == count(b[t]), "study", "points of different models");
    double part[4] = {0, 0, 0, 0};  // four chains: one alone would wait for each addition
    const std::size_t whole = count(a[t]) / 4 * 4;
    for (std::size_t i = 0; i < whole; i += 4) {
      for (std::size_t k = 0; k < 4; ++k) part[k] += static_cast<double>(x[i + k]) * y[i + k];
    }
    for (std::size_t i = whole; i < count(a[t]); ++i) part[0] += static_cast<double>(x[i]) * y[i];
    sum += (part[0] + part[1]) + (part[2] + part[3]);
  }
  return sum;
}

double norm(const Weights& weights) { return std::sqrt(dot(weights, weights)); }

Weights filter_normalised(const Weights& weights, std::uint64_t seed) {
  Weights result;
  for (std::size_t t = 0; t < weights.size(); ++t) {
    const Tensor& weight = weights[t];
    Tensor direction = Tensor::zeros(weight.shape());
    if (weight.dim() >= 2) {
      RandomStream random(mix_key(seed, t));
      const auto rows = static_cast<std::size_t>(weight.size(0)), width = count(weight) / rows;
      const auto* from = weight.data<float>();
      auto* to = direction.mutable_data<float>();
      for (std::size_t row = 0; row < rows; ++row, from += width, to += width) {
        double wanted = 0, drawn = 0;
        for (std::size_t i = 0; i < width; ++i) {
          to[i] = static_cast<float>(random.normal());
          wanted += static_cast<double>(from[i]) * from[i];
          drawn += static_cast<double>(to[i]) * to[i];
        }
        const double factor = drawn > 0 ? std::sqrt(wanted / drawn) : 0;
        for (std::size_t i = 0; i < width; ++i) to[i] = static_cast<float>(to[i] * factor);
      }
    }
    result.push_back(direction);
  }
  return result;
}

}  // namespace sesame
