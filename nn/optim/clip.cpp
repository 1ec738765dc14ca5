#include "nn/optim/clip.h"

#include <algorithm>
#include <cmath>

#include "autograd/optimizer_step.h"

namespace sesame {

GradientNorm gradient_norm(const std::vector<NamedParameter>& parameters, const std::vector<Tensor>& losses) {
  std::vector<Tensor> gradients;
  for (const NamedParameter& p : parameters) gradients.push_back(p.tensor.grad());
  return {square_sums(gradients, losses)};
}

double global_grad_norm(const std::vector<NamedParameter>& parameters) {
  return gradient_norm(parameters).numbers.to_vector<double>().back();
}

double clip_factor(double norm, double max_norm) {
  // PyTorch divides by norm + 1e-6; kept, so that runs can be compared.
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1;
}

}  // namespace sesame
