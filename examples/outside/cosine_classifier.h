// A layer that uses the op: a classifier whose logits are scaled cosines between the input and one vector per
// class (Gidaris & Komodakis 2018, "Dynamic few-shot visual learning without forgetting", section 3.2).
#pragma once

#include <sesame/nn/module.h>

#include <cstdint>

namespace outside {

class CosineClassifier : public sesame::Module {
 public:
  // Class vectors are drawn from `seed`; the scale begins at 10.
  CosineClassifier(std::int64_t width, std::int64_t classes, std::uint64_t seed = 1);

  // x [N, width] -> logits [N, classes].
  sesame::Tensor forward(const sesame::Tensor& x) const;

  sesame::Tensor weight;  // [classes, width]
  sesame::Tensor scale;   // [1]
};

}  // namespace outside
