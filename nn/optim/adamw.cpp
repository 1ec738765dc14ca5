#include "nn/optim/adamw.h"

#include <cmath>

#include "autograd/check.h"
#include "autograd/optimizer_step.h"

namespace sesame {

AdamW::AdamW(const std::vector<NamedParameter>& parameters, AdamWOptions options) : options_(options) {
  SESAME_CHECK(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1, "AdamW",
               "betas must be in [0, 1), got {} and {}", options.beta1, options.beta2);
  SESAME_CHECK(options.eps > 0 && options.weight_decay >= 0, "AdamW",
               "eps must be positive and weight decay not negative, got {} and {}", options.eps,
               options.weight_decay);
  for (const NamedParameter& p : parameters) {
    if (!p.tensor.requires_grad()) continue;
    const TensorOptions like = p.tensor.options();
    const double factor = options.lr_factor ? options.lr_factor(p.name) : 1;
    SESAME_CHECK(factor >= 0, "AdamW", "the learning-rate factor of '{}' is {}: must not be negative", p.name,
                 factor);
    slots_.push_back(
        {p, Tensor::zeros(p.tensor.shape(), like), Tensor::zeros(p.tensor.shape(), like), factor});
  }
  updates_ = Tensor::zeros({static_cast<std::int64_t>(slots_.size())}, {.dtype = DType::Float64});
}

void AdamW::step(double lr, double grad_scale) {
  NoGradGuard no_grad;
  ++steps_;
  AdamWStep update{.lr = lr, .beta1 = options_.beta1, .beta2 = options_.beta2, .eps = options_.eps};
  update.grad_scale = grad_scale;
  auto* updates = updates_.mutable_data<double>();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.parameter.tensor.grad().defined()) continue;
    const double t = ++updates[i];
    if (options_.bias_correction) {
      update.bias1 = 1 - std::pow(options_.beta1, t);
      update.bias2 = 1 - std::pow(options_.beta2, t);
    }
    update.lr = lr * slot.lr_factor;
    update.weight_decay = decays(slot.parameter) ? options_.weight_decay : 0;
    adamw_step(slot.parameter.tensor, slot.parameter.tensor.grad(), slot.exp_avg, slot.exp_avg_sq, update);
  }
}

std::vector<NamedParameter> AdamW::state() const {
  std::vector<NamedParameter> state;
  for (const Slot& slot : slots_) {
    state.push_back({"exp_avg." + slot.parameter.name, slot.exp_avg});
    state.push_back({"exp_avg_sq." + slot.parameter.name, slot.exp_avg_sq});
  }
  state.push_back({"updates", updates_});
  return state;
}

}  // namespace sesame
