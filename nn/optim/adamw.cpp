#include "nn/optim/adamw.h"

#include "autograd/check.h"
#include "autograd/later.h"
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
  const Device device = slots_.empty() ? Device{} : slots_[0].parameter.tensor.device();
  updates_ = Tensor::zeros({static_cast<std::int64_t>(slots_.size())}, {DType::Float64, device});
  rates_ = Tensor::zeros({3}, {DType::Float64, device});
}

void AdamW::step(double lr, double grad_scale) {
  set_rates(lr, 0, grad_scale);
  update({});
}

void AdamW::step_clipped(double lr, const Tensor& norm, double max_norm) {
  set_rates(lr, max_norm);
  update(norm);
}

void AdamW::set_rates(double lr, double max_norm, double grad_scale) {
  const NoGradGuard no_grad;
  write_values(rates_, {lr, max_norm, grad_scale});
}

void AdamW::update(const Tensor& norm) {
  const NoGradGuard no_grad;
  ++steps_;
  std::vector<AdamWSlot> list;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const Tensor& weight = slot.parameter.tensor;
    if (!weight.grad().defined()) continue;
    list.push_back({.weight = weight,
                    .grad = weight.grad(),
                    .m = slot.exp_avg,
                    .v = slot.exp_avg_sq,
                    .slot = static_cast<std::int64_t>(i),
                    .lr_factor = slot.lr_factor,
                    .weight_decay = decays(slot.parameter) ? options_.weight_decay : 0});
  }
  adamw_step(list, {.beta1 = options_.beta1,
                    .beta2 = options_.beta2,
                    .eps = options_.eps,
                    .bias_correction = options_.bias_correction,
                    .rates = rates_,
                    .norm = norm,
                    .updates = updates_});
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
