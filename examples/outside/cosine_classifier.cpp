#include "cosine_classifier.h"

#include <sesame/autograd/check.h>
#include <sesame/autograd/ops/pointwise.h>
#include <sesame/nn/init.h>

#include "cosine_scores.h"

namespace outside {

using sesame::Tensor;

CosineClassifier::CosineClassifier(std::int64_t width, std::int64_t classes, std::uint64_t seed) {
  SESAME_CHECK(width > 0 && classes > 1, "CosineClassifier", "{} features and {} classes are too few", width,
               classes);
  weight = Tensor::empty({classes, width});
  scale = Tensor::full({1}, 10);
  sesame::init_normal(weight, 0, 1, sesame::init_key(seed, "weight"));
  register_parameter("weight", weight);
  register_parameter("scale", scale);
}

Tensor CosineClassifier::forward(const Tensor& x) const { return cosine_scores(x, weight) * scale; }

}  // namespace outside
