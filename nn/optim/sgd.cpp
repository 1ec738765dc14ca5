#include "nn/optim/sgd.h"

#include "autograd/check.h"
#include "autograd/optimizer_step.h"

namespace sesame {

Sgd::Sgd(const std::vector<NamedParameter>& parameters, SgdOptions options) : options_(options) {
  SESAME_CHECK(options.momentum >= 0 && options.momentum < 1 && options.weight_decay >= 0, "Sgd",
               "momentum must be in [0, 1) and weight decay not negative, got {} and {}", options.momentum,
               options.weight_decay);
  for (const NamedParameter& p : parameters) {
    if (!p.tensor.requires_grad()) continue;
    slots_.push_back(
        {p, options.momentum > 0 ? Tensor::zeros(p.tensor.shape(), p.tensor.options()) : Tensor()});
  }
}

void Sgd::step(double lr, double grad_scale) {
  NoGradGuard no_grad;
  ++steps_;
  for (Slot& slot : slots_) {
    if (!slot.parameter.tensor.grad().defined()) continue;
    const double decay = decays(slot.parameter) ? options_.weight_decay : 0;
    sgd_step(slot.parameter.tensor, slot.parameter.tensor.grad(), slot.momentum_buffer,
             {.lr = lr, .momentum = options_.momentum, .weight_decay = decay, .grad_scale = grad_scale});
  }
}

std::vector<NamedParameter> Sgd::state() const {
  std::vector<NamedParameter> state;
  for (const Slot& slot : slots_) {
    if (slot.momentum_buffer.defined())
      state.push_back({"momentum." + slot.parameter.name, slot.momentum_buffer});
  }
  return state;
}

}  // namespace sesame
