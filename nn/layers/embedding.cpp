#include "nn/layers/embedding.h"

#include "autograd/check.h"
#include "autograd/ops/rows.h"

namespace sesame {

Embedding::Embedding(std::int64_t count, std::int64_t width) {
  SESAME_CHECK(count > 0 && width > 0, "Embedding", "sizes must be positive, got {} x {}", count, width);
  weight = Tensor::zeros({count, width});
  register_parameter("weight", weight);
}

Tensor Embedding::forward(const Tensor& ids) const { return embedding(weight, ids); }

}  // namespace sesame
