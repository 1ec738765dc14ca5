#include "nn/optim/clip.h"

#include <algorithm>
#include <cmath>

#include "autograd/optimizer_step.h"

namespace sesame {

double global_grad_norm(const std::vector<NamedParameter>& parameters) {
  double sum = 0;
  for (const NamedParameter& p : parameters) {
    if (p.tensor.grad().defined()) sum += sum_of_squares(p.tensor.grad());
  }
  return std::sqrt(sum);
}

double clip_factor(double norm, double max_norm) {
  // PyTorch divides by norm + 1e-6; kept, so that runs can be compared.
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1;
}

}  // namespace sesame
