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
  std::vector<NamedParameter> state() const override;

 private:
  struct Slot {
    NamedParameter parameter;
    Tensor exp_avg, exp_avg_sq;
    double lr_factor = 1;
  };
  std::vector<Slot> slots_;
  // Updates of each slot so far, [slots] float64: a parameter that is thawed later starts its bias correction
  // then.
  Tensor updates_;
  AdamWOptions options_;
};

}  // namespace sesame
