#include "autograd/testing/gradcheck.h"

#include <cmath>

#include "autograd/check.h"
#include "autograd/engine.h"
#include "autograd/random.h"

namespace sesame::testing {
namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

Tensor fixed_weights(const Shape& shape, Device device) {
  RandomStream random(2024);
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (double& value : values) value = 2 * random.uniform() - 1;
  return Tensor::from(values, shape, device);
}

// sum of weights * function(inputs), on the host.
double weighted(const Function& function, const std::vector<Tensor>& inputs) {
  NoGradGuard no_grad;
  const Tensor y = function(inputs);
  const std::vector<double> values = y.to_vector<double>();
  const std::vector<double> weights = fixed_weights(y.shape(), {}).to_vector<double>();
  double total = 0;
  for (std::size_t i = 0; i < values.size(); ++i) total += weights[i] * values[i];
  return total;
}

// Fresh leaves with the values of the inputs, so that gradients of the caller's tensors stay as they are.
std::vector<Tensor> fresh_leaves(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    Tensor leaf = input.defined() ? input.clone() : Tensor();
    if (input.requires_grad()) leaf.set_requires_grad(true);
    leaves.push_back(leaf);
  }
  return leaves;
}

// Gradients of the weighted sum; undefined where an input requires none.
std::vector<Tensor> analytic(const Function& function, const std::vector<Tensor>& inputs) {
  const std::vector<Tensor> leaves = fresh_leaves(inputs);
  const Tensor y = function(leaves);
  SESAME_CHECK(y.dtype() == DType::Float64, "gradcheck", "the function must return float64, got {}",
               dtype_name(y.dtype()));
  backward(y, {fixed_weights(y.shape(), y.device()), false});
  std::vector<Tensor> gradients;
  for (const Tensor& leaf : leaves) gradients.push_back(leaf.grad());
  return gradients;
}

std::string check_input(const Function& function, const std::vector<Tensor>& inputs, std::size_t i,
                        const std::vector<double>& gradient, const GradcheckOptions& options) {
  const Tensor original = inputs[i].detach();
  std::vector<double> values = original.to_vector<double>();
  std::vector<Tensor> moved = inputs;
  for (std::size_t e = 0; e < values.size(); ++e) {
    const double value = values[e];
    const auto at = [&](double x) {
      values[e] = x;
      moved[i] = Tensor::from(values, original.shape(), original.device());
      return weighted(function, moved);
    };
    const double numeric = (at(value + options.step) - at(value - options.step)) / (2 * options.step);
    values[e] = value;
    const double difference = std::abs(gradient[e] - numeric);
    if (!(difference <= options.absolute + options.relative * std::abs(numeric))) {
      return fmt::format("input {} {} element {}: gradient {:.9g}, finite differences {:.9g}", i,
                         original.shape(), e, gradient[e], numeric);
    }
  }
  return "";
}

}  // namespace

std::string gradcheck(const Function& function, std::vector<Tensor> inputs, const GradcheckOptions& options) {
  bool any = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    any = any || inputs[i].requires_grad();
    SESAME_CHECK(!inputs[i].requires_grad() || inputs[i].dtype() == DType::Float64, "gradcheck",
                 "input {} is {}: finite differences need float64", i, dtype_name(inputs[i].dtype()));
  }
  if (!any) return "no input requires a gradient: nothing was checked";
  const std::vector<Tensor> first = analytic(function, inputs), second = analytic(function, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) {
      if (first[i].defined()) return fmt::format("input {} got a gradient without requiring one", i);
      continue;
    }
    if (!first[i].defined()) return fmt::format("input {} {} got no gradient", i, inputs[i].shape());
    const std::vector<double> gradient = first[i].to_vector<double>();
    if (gradient != second[i].to_vector<double>()) {
      return fmt::format("input {} {}: the gradient changes from run to run", i, inputs[i].shape());
    }
    const std::string error = check_input(function, inputs, i, gradient, options);
    if (!error.empty()) return error;
  }
  return "";
}

}  // namespace sesame::testing
