#include "models/bert/pooler.h"

#include "autograd/ops/rows.h"

namespace sesame {

BertPooler::BertPooler(std::int64_t width) : dense(width, width, {.activation = Activation::Tanh}) {
  register_module("dense", dense);
}

Tensor BertPooler::forward(const Tensor& x, const Segments& segments) const {
  return dense.forward(gather_rows(x, segments.first_rows()));
}

}  // namespace sesame
