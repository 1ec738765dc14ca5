// Optimisers over named parameters. Frozen parameters (no gradient wanted) and parameters that got no
// gradient in a step are left as they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/module.h"

namespace sesame {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // One update with learning rate `lr`; gradients are multiplied by grad_scale first (clipping, see clip.h).
  virtual void step(double lr, double grad_scale = 1) = 0;
  // Everything that a resumed run needs, by name ("exp_avg.<parameter>", ...). Tensors share memory with the
  // optimiser.
  virtual std::vector<NamedParameter> state() const = 0;
  // Takes a state written by state(); `steps` is the number of updates behind it. Throws Error on a missing
  // tensor or another shape.
  void load_state(const std::vector<NamedParameter>& state, std::int64_t steps);
  std::int64_t steps() const { return steps_; }

 protected:
  std::int64_t steps_ = 0;
};

// Whether weight decay applies: not to biases and not to LayerNorm weights, i.e. to no tensor with a single
// axis.
bool decays(const NamedParameter& parameter);

}  // namespace sesame
