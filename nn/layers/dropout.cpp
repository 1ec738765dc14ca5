#include "nn/layers/dropout.h"

#include "autograd/check.h"
#include "autograd/ops/norm.h"
#include "autograd/random.h"

namespace sesame {

Dropout::Dropout(double p) : p_(p) { set_p(p); }

void Dropout::set_p(double p) {
  SESAME_CHECK(p >= 0 && p < 1, "Dropout", "probability must be in [0, 1), got {}", p);
  p_ = p;
}

DropoutSpec Dropout::next() const {
  if (!training() || p_ == 0) return {};
  const RandomScope* scope = RandomScope::current();
  if (scope != nullptr && scope->serial() != scope_) {
    scope_ = scope->serial();
    calls_ = 0;
  }
  const std::uint64_t step = scope != nullptr ? scope->key() : 0;
  DropoutSpec spec = make_dropout(p_, mix_key(mix_key(0, path_hash()), calls_++) ^ step);
  spec.step = step;
  return spec;
}

Tensor Dropout::forward(const Tensor& x, const Tensor& row_keys) const {
  const DropoutSpec spec = next();
  return spec.active() ? dropout(x, spec, row_keys) : x;
}

}  // namespace sesame
