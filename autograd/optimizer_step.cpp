#include "autograd/optimizer_step.h"

#include "autograd/ops/op_support.h"
#include "autograd/precision.h"

namespace sesame {
namespace {

void check_state(const char* op, const char* name, const Tensor& weight, const Tensor& state) {
  check_floating(op, name, state);
  SESAME_CHECK(state.shape() == weight.shape(), op, "{} {} does not fit weight {}", name, state.shape(),
               weight.shape());
  check_same_kind(op, weight, state);
}

// Memory of a tensor that is about to be written.
void* written(const char* op, const char* name, Tensor x) {
  SESAME_CHECK(x.is_contiguous(), op, "{} {} must be contiguous", name, x.shape());
  NoGradGuard no_grad;
  x.begin_write(op);
  return x.view().data;
}

// Float64 numbers that lie where the weights do.
double* numbers(const char* op, const char* name, const Tensor& weight, const Tensor& x, std::int64_t count) {
  SESAME_CHECK(x.defined() && x.dtype() == DType::Float64 && x.numel() == count && x.is_contiguous() &&
                   x.device() == weight.device(),
               op, "{} must be {} float64 on {}", name, count, weight.device().name());
  return static_cast<double*>(x.view().data);
}

}  // namespace

void adamw_step(const std::vector<AdamWSlot>& slots, const AdamWStep& step) {
  if (slots.empty()) return;
  const Tensor& like = slots[0].weight;
  // Weights may share a storage: which twins are current is known before the first of them is written.
  std::vector<void*> twins;
  for (const AdamWSlot& slot : slots) twins.push_back(current_twin(slot.weight));
  std::vector<Tensor> sources;  // contiguous gradients live until the kernels are started
  std::vector<AdamWTensor> tensors;
  for (const AdamWSlot& slot : slots) {
    check_floating("adamw", "the weight", slot.weight);
    check_same_kind("adamw", like, slot.weight);
    check_state("adamw", "the gradient", slot.weight, slot.grad);
    check_state("adamw", "m", slot.weight, slot.m);
    check_state("adamw", "v", slot.weight, slot.v);
    sources.push_back(slot.grad.detach().contiguous());
    tensors.push_back({.numel = slot.weight.numel(),
                       .weight = written("adamw", "the weight", slot.weight),
                       .grad = sources.back().view().data,
                       .m = written("adamw", "m", slot.m),
                       .v = written("adamw", "v", slot.v),
                       .twin = twins[tensors.size()],
                       .slot = slot.slot,
                       .lr_factor = slot.lr_factor,
                       .decay = slot.weight_decay});
    SESAME_CHECK(slot.slot >= 0 && step.updates.defined() && slot.slot < step.updates.numel(), "adamw",
                 "slot {} has no count of updates", slot.slot);
  }
  AdamWArgs args{.dtype = like.dtype(),
                 .count = static_cast<std::int64_t>(tensors.size()),
                 .tensors = tensors.data(),
                 .beta1 = step.beta1,
                 .beta2 = step.beta2,
                 .eps = step.eps,
                 .bias_correction = step.bias_correction};
  args.rates = numbers("adamw", "the rates", like, step.rates, 3);
  if (step.norm.defined()) args.norm = numbers("adamw", "the norm", like, step.norm, 1);
  args.updates = numbers("adamw", "updates", like, step.updates, step.updates.numel());
  written("adamw", "updates", step.updates);
  kernel("adamw", like, &KernelTable::adamw)(args);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (twins[i] != nullptr) twin_written(slots[i].weight);
  }
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

Tensor square_sums(const std::vector<Tensor>& tensors, const std::vector<Tensor>& guards) {
  constexpr const char* op = "sum_of_squares";
  std::vector<Tensor> sources;
  std::vector<View> views;
  const Tensor* like = nullptr;
  for (const std::vector<Tensor>* list : {&tensors, &guards}) {
    for (const Tensor& x : *list) {
      if (!x.defined()) {
        views.emplace_back();
        continue;
      }
      check_floating(op, "x", x);
      if (like == nullptr) like = &x;
      SESAME_CHECK(x.device() == like->device(), op, "tensors lie on {} and {}: move them with to()",
                   like->device().name(), x.device().name());
      sources.push_back(x.detach().contiguous());
      views.push_back(sources.back().view());
    }
  }
  const auto count = static_cast<std::int64_t>(views.size());
  const Tensor sums =
      Tensor::empty({count + 1}, {DType::Float64, like == nullptr ? Device{} : like->device()});
  kernel(op, sums, &KernelTable::sum_squares)({.count = count,
                                               .guards = static_cast<std::int64_t>(guards.size()),
                                               .tensors = views.data(),
                                               .sums = static_cast<double*>(sums.view().data)});
  return sums;
}

double sum_of_squares(const Tensor& x) {
  check_floating("sum_of_squares", "x", x);
  return square_sums({x}).to_vector<double>()[0];
}

}  // namespace sesame
