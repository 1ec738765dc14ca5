#include "autograd/optimizer_step.h"

#include "autograd/ops/op_support.h"

namespace sesame {
namespace {

void check_state(const char* op, const char* name, const Tensor& weight, const Tensor& state) {
  check_floating(op, name, state);
  SESAME_CHECK(state.shape() == weight.shape(), op, "{} {} does not fit weight {}", name, state.shape(),
               weight.shape());
  check_same_kind(op, weight, state);
}

// Memory of a tensor that is about to be written.
void* written(const char* op, const char* name, Tensor& x) {
  SESAME_CHECK(x.is_contiguous(), op, "{} {} must be contiguous", name, x.shape());
  NoGradGuard no_grad;
  x.begin_write(op);
  return x.view().data;
}

}  // namespace

void adamw_step(Tensor weight, const Tensor& grad, Tensor m, Tensor v, const AdamWStep& step) {
  check_floating("adamw", "the weight", weight);
  check_state("adamw", "the gradient", weight, grad);
  check_state("adamw", "m", weight, m);
  check_state("adamw", "v", weight, v);
  const Tensor source = grad.detach().contiguous();
  AdamWArgs args;
  args.dtype = weight.dtype();
  args.numel = weight.numel();
  args.weight = written("adamw", "the weight", weight);
  args.grad = source.view().data;
  args.m = written("adamw", "m", m);
  args.v = written("adamw", "v", v);
  args.lr = step.lr;
  args.beta1 = step.beta1;
  args.beta2 = step.beta2;
  args.eps = step.eps;
  args.decay = step.weight_decay;
  args.bias1 = step.bias1;
  args.bias2 = step.bias2;
  args.grad_scale = step.grad_scale;
  kernel("adamw", weight, &KernelTable::adamw)(args);
}

void sgd_step(Tensor weight, const Tensor& grad, Tensor momentum_buffer, const SgdStep& step) {
  check_floating("sgd", "the weight", weight);
  check_state("sgd", "the gradient", weight, grad);
  if (momentum_buffer.defined()) check_state("sgd", "the momentum buffer", weight, momentum_buffer);
  const Tensor source = grad.detach().contiguous();
  SgdArgs args;
  args.dtype = weight.dtype();
  args.numel = weight.numel();
  args.weight = written("sgd", "the weight", weight);
  args.grad = source.view().data;
  if (momentum_buffer.defined())
    args.momentum_buffer = written("sgd", "the momentum buffer", momentum_buffer);
  args.lr = step.lr;
  args.momentum = step.momentum;
  args.decay = step.weight_decay;
  args.grad_scale = step.grad_scale;
  kernel("sgd", weight, &KernelTable::sgd)(args);
}

double sum_of_squares(const Tensor& x) {
  check_floating("sum_of_squares", "x", x);
  return kernel("sum_of_squares", x, &KernelTable::sum_squares)(x.detach().contiguous().view());
}

}  // namespace sesame
