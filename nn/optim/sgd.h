// Stochastic gradient descent with momentum and weight decay.
#pragma once

#include "nn/optim/optimizer.h"

namespace sesame {

struct SgdOptions {
  double momentum = 0;
  double weight_decay = 0;  // added to the gradient, where decays() says so
};

class Sgd : public Optimizer {
 public:
  Sgd(const std::vector<NamedParameter>& parameters, SgdOptions options = {});

  void step(double lr, double grad_scale = 1) override;
  std::vector<NamedParameter> state() const override;

 private:
  struct Slot {
    NamedParameter parameter;
    Tensor momentum_buffer;  // undefined without momentum
  };
  std::vector<Slot> slots_;
  SgdOptions options_;
};

}  // namespace sesame
