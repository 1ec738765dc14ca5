// Compares the gradients that backward() computes with central finite differences, in float64. Public: use it for
// your own ops (examples/outside does).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/tensor.h"

namespace sesame::testing {

struct GradcheckOptions {
  double step = 1e-6;
  double absolute = 1e-6;  // |analytic - numeric| <= absolute + relative * |numeric|
  double relative = 1e-5;
};

// `function` maps the inputs to a tensor of any shape; it is reduced to a scalar with fixed random weights. Inputs
// must be float64; every one that requires a gradient is checked, element by element. Returns an empty string, or one
// line that names the first element that disagrees. Also fails when a gradient is missing or changes between two runs.
std::string gradcheck(const std::function<Tensor(const std::vector<Tensor>&)>& function, std::vector<Tensor> inputs,
                      const GradcheckOptions& options = {});

}  // namespace sesame::testing
