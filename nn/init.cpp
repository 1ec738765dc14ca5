#include "nn/init.h"

#include <cmath>
#include <vector>

#include "autograd/check.h"
#include "autograd/random.h"
#include "nn/module.h"

namespace sesame {
namespace {

template <class Draw>
void fill_with(Tensor parameter, Draw draw) {
  NoGradGuard no_grad;
  std::vector<double> values(static_cast<std::size_t>(parameter.numel()));
  for (double& value : values) value = draw();
  parameter.copy_(Tensor::from(values, parameter.shape()).to(parameter.dtype()));
}

}  // namespace

std::uint64_t init_key(std::uint64_t seed, const std::string& name) { return mix_key(hash_text(name), seed); }

void init_normal(Tensor parameter, double mean, double std, std::uint64_t key) {
  RandomStream stream(key);
  fill_with(parameter, [&] { return mean + std * stream.normal(); });
}

void init_truncated_normal(Tensor parameter, double std, std::uint64_t key) {
  RandomStream stream(key);
  fill_with(parameter, [&] {
    double value;
    do {
      value = stream.normal();
    } while (std::abs(value) > 2);
    return std * value;
  });
}

void init_uniform(Tensor parameter, double low, double high, std::uint64_t key) {
  RandomStream stream(key);
  fill_with(parameter, [&] { return low + (high - low) * stream.uniform(); });
}

void init_xavier_uniform(Tensor parameter, std::uint64_t key) {
  SESAME_CHECK(parameter.dim() == 2, "init_xavier_uniform", "needs a weight [out, in], got {}",
               parameter.shape());
  const double bound = std::sqrt(6.0 / static_cast<double>(parameter.size(0) + parameter.size(1)));
  init_uniform(parameter, -bound, bound, key);
}

void init_bert(const NamedParameter& parameter, double std, std::uint64_t seed) {
  const NoGradGuard no_grad;
  const auto& [name, tensor] = parameter;
  if (tensor.dim() >= 2) {
    init_normal(tensor, 0, std, init_key(seed, name));
  } else {
    Tensor(tensor).fill_(name.ends_with("weight") || name.ends_with("gamma") ? 1 : 0);
  }
}

void init_bert(Module& module, double std, std::uint64_t seed) {
  for (const NamedParameter& p : module.parameters()) init_bert(p, std, seed);
}

}  // namespace sesame
