// The linear layer and several of them side by side (autograd/ops/matmul.h).
#include <algorithm>
#include <utility>

#include "autograd/ops/gemm.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"
#include "autograd/precision.h"

namespace sesame {
namespace {

// The parameters may be float32 where the input is bfloat16.
void check_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_floating(op, "the input", x);
  check_floating(op, "the weight", weight);
  SESAME_CHECK(x.dim() == 2, op, "the input must be [T, in], got {}", x.shape());
  SESAME_CHECK(weight.dim() == 2, op, "the weight must be [out, in], got {}", weight.shape());
  SESAME_CHECK(x.size(1) == weight.size(1), op, "input has {} features, weight wants {}: input {}, weight {}",
               x.size(1), weight.size(1), x.shape(), weight.shape());
  const bool mixed = x.dtype() == DType::BFloat16 && weight.dtype() == DType::Float32;
  if (!mixed || x.device() != weight.device()) check_same_kind(op, x, weight);
  if (!bias.defined()) return;
  SESAME_CHECK(bias.shape() == Shape{weight.size(0)}, op, "the bias must be {} for weight {}, got {}",
               Shape{weight.size(0)}, weight.shape(), bias.shape());
  check_same_kind(op, weight, bias);
}

// The matrix [m, n] as [n, m]: a view without history, cheaper than transpose().
Tensor flipped(const Tensor& x) {
  return x.alias({x.size(1), x.size(0)}, {x.strides()[1], x.strides()[0]}, x.offset());
}

// y = activation(x W^T + b), all of one type; keeps x W^T + b in `pre` where it is defined.
void forward(const char* op, const Tensor& y, const Tensor& x, const Tensor& weight, const Tensor& bias,
             Activation activation, const Tensor& pre) {
  const Product product = product_into(y, x, flipped(weight));
  const Tensor row = bias.defined() ? bias.detach().contiguous() : Tensor();
  LinearArgs args;
  args.product = product.args;
  args.activation = activation;
  args.bias = view_or_none(row).data;
  args.pre = view_or_none(pre).data;
  kernel(op, y, &KernelTable::linear)(args);
}

// dW = dpre^T x [out, in] and, where dbias is defined, dbias = column sums of dpre [T, out].
void weight_gradient(const char* op, const Tensor& dweight, const Tensor& dbias, const Tensor& dpre,
                     const Tensor& x) {
  const Product product = product_into(dweight, flipped(dpre), x);
  kernel(op, x, &KernelTable::weight_gradient)(product.args, view_or_none(dbias), dpre.view());
}

// dpre = dy activation'(pre), which without an activation is dy; dbias as above.
Tensor activation_gradient(const char* op, Activation activation, const Tensor& dbias, const Tensor& dy,
                           const Tensor& pre) {
  const Tensor dpre = activation == Activation::None ? dy : empty_like(dy);
  kernel(op, dy, &KernelTable::bias_activation_backward)(activation, dpre.view(), view_or_none(dbias),
                                                         dy.view(), view_or_none(pre));
  return dpre;
}

// Gradients have the parameters' own type. The bias's comes along with dpre where that is computed, else with
// the weight's, else it is a sum of its own.
void linear_backward(Backward& b, Activation activation, DType parameters) {
  const Tensor &dy = b.grad(), none;
  const TensorOptions options{parameters, dy.device()};
  const Tensor dbias = b.wanted(2) ? Tensor::empty({dy.size(1)}, options) : none;
  const bool with_weight = activation == Activation::None && b.wanted(1);
  Tensor dpre = dy;
  if (activation != Activation::None || (dbias.defined() && !with_weight)) {
    dpre = activation_gradient("linear", activation, dbias, dy, b.saved(2));
  }
  if (b.wanted(0)) {
    const Tensor& weight = b.saved(1);
    const Tensor dx = Tensor::empty({dy.size(0), weight.size(1)}, dy.options());
    gemm("linear", dx, dpre, weight);
    b.give(0, dx);
  }
  if (b.wanted(1)) {
    const Tensor& x = b.saved(0);
    const Tensor dweight = Tensor::empty({dy.size(1), x.size(1)}, options);
    weight_gradient("linear", dweight, with_weight ? dbias : none, dpre, x);
    b.give(1, dweight);
  }
  if (b.wanted(2)) b.give(2, dbias);
}

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::None:
      return x;
    case Activation::Gelu:
      return gelu(x);
    case Activation::GeluTanh:
      return gelu_tanh(x);
    case Activation::Relu:
      return relu(x);
    case Activation::Tanh:
      return tanh(x);
    case Activation::Swish:
      return swish(x);
  }
  return x;
}

}  // namespace

// y = activation(x W^T + b); dpre = dy activation'(pre); dx = dpre W, dW = dpre^T x, db = column sums of
// dpre.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
  check_linear("linear", x, weight, bias);
  const Tensor own_weight = in_type_of(x, weight), none;
  const Tensor y = Tensor::empty({x.size(0), weight.size(0)}, x.options());
  const bool recording = will_record({x, weight, bias});
  const Tensor pre = recording && activation != Activation::None ? empty_like(y) : none;
  forward("linear", y, x, own_weight, in_type_of(x, bias), activation, pre);
  return record(
      "linear", y, {x, weight, bias},
      {weight.requires_grad() ? x : none, x.requires_grad() ? own_weight : none, pre},
      [activation, parameters = weight.dtype()](Backward& b) { linear_backward(b, activation, parameters); });
}

Tensor linear_composed(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation) {
  check_linear("linear", x, weight, bias);
  const Tensor product = matmul(x, weight.transpose(0, 1));
  return activate(bias.defined() ? add(product, bias) : product, activation);
}

// --- several linear layers on one input
// ---------------------------------------------------------------------------

namespace {

// One tensor over `parts` when they lie one behind the other in one storage, else undefined. All have the
// same trailing sizes.
Tensor joined(const std::vector<Tensor>& parts) {
  if (parts.empty()) return {};
  Shape shape = parts[0].shape();
  shape[0] = 0;
  std::int64_t offset = parts[0].offset();
  for (const Tensor& part : parts) {
    if (!part.is_contiguous() || part.storage() != parts[0].storage() || part.offset() != offset) return {};
    offset += part.numel();
    shape[0] += part.size(0);
  }
  return parts[0].alias(shape, contiguous_strides(shape), parts[0].offset());
}

// The tensor cut along `axis` at these lengths.
std::vector<Tensor> cut(const Tensor& whole, int axis, const std::vector<std::int64_t>& lengths) {
  std::vector<Tensor> parts;
  parts.reserve(lengths.size());
  std::int64_t begin = 0;
  for (const std::int64_t length : lengths) {
    parts.push_back(whole.slice(axis, begin, begin + length));
    begin += length;
  }
  return parts;
}

std::vector<Tensor> in_type_of(const Tensor& x, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> typed;
  typed.reserve(parameters.size());
  for (const Tensor& parameter : parameters) typed.push_back(sesame::in_type_of(x, parameter));
  return typed;
}

void joined_forward(const Tensor& y, const Tensor& x, const std::vector<Tensor>& weights,
                    const std::vector<Tensor>& biases, const std::vector<std::int64_t>& widths) {
  const Tensor weight = joined(weights), bias = joined(biases), none;
  if (weight.defined() && (bias.defined() || biases.empty())) {
    return forward("linear_joined", y, x, weight, bias, Activation::None, none);
  }
  const std::vector<Tensor> columns = cut(y.detach(), 1, widths);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    forward("linear_joined", columns[i], x, weights[i], biases.empty() ? none : biases[i], Activation::None,
            none);
  }
}

// dx = dy W over all weights at once where they are joined, else added up one by one.
Tensor joined_input_gradient(const Tensor& grad, const std::vector<Tensor>& weights,
                             const std::vector<std::int64_t>& widths) {
  const Tensor dx = Tensor::empty({grad.size(0), weights[0].size(1)}, grad.options());
  if (const Tensor weight = joined(weights); weight.defined()) {
    gemm("linear_joined", dx, grad, weight);
    return dx;
  }
  const std::vector<Tensor> columns = cut(grad, 1, widths);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    gemm("linear_joined", dx, columns[i], weights[i], i == 0 ? 0 : 1);
  }
  return dx;
}

// Gradients of the weights (inputs 1, 2, ..) and biases (behind them). Where none is frozen they are one
// product and one sum, and each is a part of the result.
void joined_parameter_gradients(Backward& b, const std::vector<std::int64_t>& widths, bool with_bias,
                                DType parameters) {
  constexpr const char* op = "linear_joined";
  const std::size_t count = widths.size(), inputs = count * (with_bias ? 2 : 1);
  const Tensor &dy = b.grad(), none;
  const TensorOptions options{parameters, dy.device()};
  std::size_t wanted = 0;
  for (std::size_t i = 1; i <= inputs; ++i) wanted += b.wanted(i) ? 1 : 0;
  if (wanted == inputs) {
    const Tensor dweight = Tensor::empty({dy.size(1), b.saved(0).size(1)}, options);
    const Tensor dbias = with_bias ? Tensor::empty({dy.size(1)}, options) : none;
    weight_gradient(op, dweight, dbias, dy, b.saved(0));
    std::vector<Tensor> parts = cut(dweight, 0, widths);
    for (std::size_t i = 0; i < count; ++i) b.give(1 + i, std::move(parts[i]));
    parts = with_bias ? cut(dbias, 0, widths) : std::vector<Tensor>();
    for (std::size_t i = 0; i < parts.size(); ++i) b.give(1 + count + i, std::move(parts[i]));
    return;
  }
  const std::vector<Tensor> columns = cut(dy, 1, widths);
  for (std::size_t i = 0; i < count && wanted > 0; ++i) {
    const bool weight_wanted = b.wanted(1 + i), bias_wanted = with_bias && b.wanted(1 + count + i);
    const Tensor dbias = bias_wanted ? Tensor::empty({widths[i]}, options) : none;
    if (weight_wanted) {
      const Tensor dweight = Tensor::empty({widths[i], b.saved(0).size(1)}, options);
      weight_gradient(op, dweight, dbias, columns[i], b.saved(0));
      b.give(1 + i, dweight);
    } else if (bias_wanted) {
      activation_gradient(op, Activation::None, dbias, columns[i], none);
    }
    if (bias_wanted) b.give(1 + count + i, dbias);
  }
}

}  // namespace

// y = [x W0^T + b0, x W1^T + b1, ...]; dx = sum of dyi Wi, dWi = dyi^T x, dbi = column sums of dyi, where dyi
// are the columns of dy that belong to weight i. Inputs of the node: x, the weights, the biases.
Tensor linear_joined(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& biases) {
  SESAME_CHECK(!weights.empty(), "linear_joined", "no weights given");
  SESAME_CHECK(biases.empty() || biases.size() == weights.size(), "linear_joined",
               "{} weights and {} biases: give as many biases as weights, or none", weights.size(),
               biases.size());
  std::vector<std::int64_t> widths;
  std::int64_t columns = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!biases.empty()) check_floating("linear_joined", "a bias", biases[i]);
    check_linear("linear_joined", x, weights[i], biases.empty() ? Tensor() : biases[i]);
    check_same_kind("linear_joined", weights[0], weights[i]);
    widths.push_back(weights[i].size(0));
    columns += widths.back();
  }
  const std::vector<Tensor> own_weights = in_type_of(x, weights);
  const Tensor y = Tensor::empty({x.size(0), columns}, x.options());
  joined_forward(y, x, own_weights, in_type_of(x, biases), widths);

  std::vector<Tensor> inputs = {x}, saved = {x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  if (!will_record(weights)) saved[0] = Tensor();
  if (x.requires_grad()) saved.insert(saved.end(), own_weights.begin(), own_weights.end());
  inputs.insert(inputs.end(), biases.begin(), biases.end());
  return record("linear_joined", y, inputs, saved,
                [widths, with_bias = !biases.empty(), parameters = weights[0].dtype()](Backward& b) {
                  if (b.wanted(0)) {
                    std::vector<Tensor> saved_weights;
                    for (std::size_t i = 0; i < widths.size(); ++i) saved_weights.push_back(b.saved(1 + i));
                    b.give(0, joined_input_gradient(b.grad(), saved_weights, widths));
                  }
                  joined_parameter_gradients(b, widths, with_bias, parameters);
                });
}

}  // namespace sesame
