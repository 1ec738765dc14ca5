// The linear layer and several of them side by side (autograd/ops/matmul.h).
#include <algorithm>
#include <utility>

#include "autograd/ops/gemm.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"

namespace sesame {
namespace {

void check_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_floating(op, "the input", x);
  check_floating(op, "the weight", weight);
  SESAME_CHECK(x.dim() == 2, op, "the input must be [T, in], got {}", x.shape());
  SESAME_CHECK(weight.dim() == 2, op, "the weight must be [out, in], got {}", weight.shape());
  SESAME_CHECK(x.size(1) == weight.size(1), op, "input has {} features, weight wants {}: input {}, weight {}",
               x.size(1), weight.size(1), x.shape(), weight.shape());
  check_same_kind(op, x, weight);
  if (!bias.defined()) return;
  SESAME_CHECK(bias.shape() == Shape{weight.size(0)}, op, "the bias must be {} for weight {}, got {}",
               Shape{weight.size(0)}, weight.shape(), bias.shape());
  check_same_kind(op, weight, bias);
}

// y = activation(y + bias); keeps y + bias in `pre` where it is defined.
void finish(const char* op, const Tensor& y, const Tensor& bias, Activation activation,
            const Tensor& pre = {}) {
  if (!bias.defined() && activation == Activation::None) return;
  const Tensor row = bias.defined() ? bias.detach().contiguous() : Tensor();
  kernel(op, y, &KernelTable::bias_activation)(activation, y.view(), view_or_none(row), view_or_none(pre));
}

// Column sums of grad [T, n], whose rows may be strided.
Tensor column_sums(const char* op, const Tensor& grad) {
  const Tensor sums = Tensor::empty({grad.size(1)}, grad.options());
  kernel(op, grad, &KernelTable::bias_activation_backward)(Activation::None, grad.view(), sums.view(),
                                                           grad.view(), View{});
  return sums;
}

// dW = dpre^T x [out, in].
Tensor weight_gradient(const char* op, const Tensor& dpre, const Tensor& x) {
  const Tensor dweight = Tensor::empty({dpre.size(1), x.size(1)}, x.options());
  gemm(op, dweight, dpre.transpose(0, 1), x);
  return dweight;
}

void linear_backward(Backward& b, Activation activation) {
  const Tensor& grad = b.grad();
  Tensor dpre = grad, dbias;
  if (b.wanted(2)) dbias = Tensor::empty({grad.size(1)}, grad.options());
  if (activation != Activation::None) dpre = empty_like(grad);
  if (activation != Activation::None || dbias.defined()) {
    kernel("linear", grad, &KernelTable::bias_activation_backward)(
        activation, dpre.view(), view_or_none(dbias), grad.view(), view_or_none(b.saved(2)));
  }
  if (b.wanted(0)) {
    const Tensor& weight = b.saved(1);
    const Tensor dx = Tensor::empty({grad.size(0), weight.size(1)}, grad.options());
    gemm("linear", dx, dpre, weight);
    b.give(0, dx);
  }
  if (b.wanted(1)) b.give(1, weight_gradient("linear", dpre, b.saved(0)));
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
Tensor linear(const Tensor& x, const Tensor& own_weight, const Tensor& own_bias, Activation activation) {
  const Tensor weight = follow(x, own_weight), bias = follow(x, own_bias);
  check_linear("linear", x, weight, bias);
  const Tensor y = Tensor::empty({x.size(0), weight.size(0)}, x.options());
  gemm("linear", y, x, weight.detach().transpose(0, 1));
  const Tensor none;
  const bool recording = will_record({x, weight, bias});
  const Tensor pre = recording && activation != Activation::None ? empty_like(y) : none;
  finish("linear", y, bias, activation, pre);
  return record("linear", y, {x, weight, bias},
                {weight.requires_grad() ? x : none, x.requires_grad() ? weight : none, pre},
                [activation](Backward& b) { linear_backward(b, activation); });
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

// Columns of y that belong to each weight.
std::vector<std::pair<std::int64_t, std::int64_t>> column_ranges(const std::vector<Tensor>& weights) {
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
  std::int64_t begin = 0;
  for (const Tensor& weight : weights) {
    ranges.emplace_back(begin, begin + weight.size(0));
    begin += weight.size(0);
  }
  return ranges;
}

std::vector<Tensor> follow(const Tensor& x, const std::vector<Tensor>& parameters) {
  std::vector<Tensor> followed;
  for (const Tensor& parameter : parameters) followed.push_back(sesame::follow(x, parameter));
  return followed;
}

void joined_forward(const Tensor& y, const Tensor& x, const std::vector<Tensor>& weights,
                    const std::vector<Tensor>& biases) {
  const auto ranges = column_ranges(weights);
  const Tensor columns = y.detach(), weight = joined(weights), bias = joined(biases);
  if (weight.defined()) gemm("linear_joined", y, x, weight.transpose(0, 1));
  if (bias.defined()) finish("linear_joined", y, bias, Activation::None);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Tensor part = columns.slice(1, ranges[i].first, ranges[i].second);
    if (!weight.defined()) gemm("linear_joined", part, x, weights[i].detach().transpose(0, 1));
  }
  for (std::size_t i = 0; i < biases.size() && !bias.defined(); ++i) {
    finish("linear_joined", columns.slice(1, ranges[i].first, ranges[i].second), biases[i], Activation::None);
  }
}

// dx = dy W over all weights at once where they are joined, else added up one by one.
Tensor joined_input_gradient(const Tensor& grad, const std::vector<Tensor>& weights) {
  const Tensor dx = Tensor::empty({grad.size(0), weights[0].size(1)}, grad.options());
  if (const Tensor weight = joined(weights); weight.defined()) {
    gemm("linear_joined", dx, grad, weight);
    return dx;
  }
  const auto ranges = column_ranges(weights);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    gemm("linear_joined", dx, grad.slice(1, ranges[i].first, ranges[i].second), weights[i], i == 0 ? 0 : 1);
  }
  return dx;
}

}  // namespace

// y = [x W0^T + b0, x W1^T + b1, ...]; dx = sum of dyi Wi, dWi = dyi^T x, dbi = column sums of dyi, where dyi
// are the columns of dy that belong to weight i. Inputs of the node: x, the weights, the biases. Each dWi is
// a GEMM of its own: the gradient of a parameter owns its memory, and one GEMM for all would have to be
// copied apart.
Tensor linear_joined(const Tensor& x, const std::vector<Tensor>& weights, const std::vector<Tensor>& biases) {
  SESAME_CHECK(!weights.empty(), "linear_joined", "no weights given");
  SESAME_CHECK(biases.empty() || biases.size() == weights.size(), "linear_joined",
               "{} weights and {} biases: give as many biases as weights, or none", weights.size(),
               biases.size());
  if (x.defined() && weights[0].defined() && follow(x, weights[0]).dtype() != weights[0].dtype()) {
    return linear_joined(x, follow(x, weights), follow(x, biases));
  }
  std::int64_t columns = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!biases.empty()) check_floating("linear_joined", "a bias", biases[i]);
    check_linear("linear_joined", x, weights[i], biases.empty() ? Tensor() : biases[i]);
    columns += weights[i].size(0);
  }
  const Tensor y = Tensor::empty({x.size(0), columns}, x.options());
  joined_forward(y, x, weights, biases);

  std::vector<Tensor> inputs = {x}, saved = {x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  if (!will_record(weights)) saved[0] = Tensor();
  if (x.requires_grad()) saved.insert(saved.end(), weights.begin(), weights.end());
  inputs.insert(inputs.end(), biases.begin(), biases.end());
  return record("linear_joined", y, inputs, saved,
                [ranges = column_ranges(weights), with_bias = !biases.empty()](Backward& b) {
                  const std::size_t count = ranges.size();
                  if (b.wanted(0)) {
                    std::vector<Tensor> saved_weights;
                    for (std::size_t i = 0; i < count; ++i) saved_weights.push_back(b.saved(1 + i));
                    b.give(0, joined_input_gradient(b.grad(), saved_weights));
                  }
                  for (std::size_t i = 0; i < count; ++i) {
                    const Tensor part = b.grad().slice(1, ranges[i].first, ranges[i].second);
                    if (b.wanted(1 + i)) b.give(1 + i, weight_gradient("linear_joined", part, b.saved(0)));
                    if (with_bias && b.wanted(1 + count + i))
                      b.give(1 + count + i, column_sums("linear_joined", part));
                  }
                });
}

}  // namespace sesame
