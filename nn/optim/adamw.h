// AdamW: Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2) and bias correction.
#pragma once

#include <functional>
#include <string>

#include "nn/optim/optimizer.h"

namespace sesame {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0.01;   // where decays() says so
  bool bias_correction = true;  // Google's original BERT has none; small data sets suffer without
  // Factor on the learning rate by the parameter's name (models/tuning.h has one by layer); none: 1.
  std::function<double(const std::string&)> lr_factor = {};
};

class AdamW : public Optimizer {
 public:
  // Takes those of `parameters` that require a gradient. Throws Error for options out of range.
  AdamW(const std::vector<NamedParameter>& parameters, AdamWOptions options = {});

  void step(double lr, double grad_scale = 1) override;
  // step() with gradients clipped to `max_norm` (0: not at all) by their norm (gradient_norm(), one element),
  // which may still lie on a device: nothing waits for it. An update whose norm is not finite is left out
  // there; steps() counts it until drop_step() takes it back.
  void step_clipped(double lr, const Tensor& norm, double max_norm);
  void drop_step() { --steps_; }
  // The two halves of step_clipped(): the numbers that change from update to update are written to the
  // device, and the update, which reads them there and can so be recorded once and replayed. `norm` may be
  // undefined.
  void set_rates(double lr, double max_norm, double grad_scale = 1);
  void update(const Tensor& norm);
  std::vector<NamedParameter> state() const override;

 private:
  struct Slot {
    NamedParameter parameter;
    Tensor exp_avg, exp_avg_sq;
    double lr_factor = 1;
  };
  std::vector<Slot> slots_;
  // Updates of each slot so far, [slots] float64 where the parameters lie: a parameter that is thawed later
  // starts its bias correction then.
  Tensor updates_;
  Tensor rates_;  // of the update, where the parameters lie: see AdamWStep
  AdamWOptions options_;
};

}  // namespace sesame
