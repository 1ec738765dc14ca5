#include "nn/optim/optimizer.h"

#include <algorithm>

#include "autograd/check.h"

namespace sesame {

void Optimizer::load_state(const std::vector<NamedParameter>& saved, std::int64_t steps) {
  NoGradGuard no_grad;
  for (NamedParameter& own : state()) {
    const auto found =
        std::find_if(saved.begin(), saved.end(), [&](const NamedParameter& s) { return s.name == own.name; });
    SESAME_CHECK(found != saved.end(), "optimizer", "the saved state lacks '{}'", own.name);
    SESAME_CHECK(found->tensor.shape() == own.tensor.shape(), "optimizer",
                 "'{}' is {} in the saved state, {} here", own.name, found->tensor.shape(),
                 own.tensor.shape());
    own.tensor.copy_(found->tensor);
  }
  steps_ = steps;
}

bool decays(const NamedParameter& parameter) { return parameter.tensor.dim() > 1; }

}  // namespace sesame
