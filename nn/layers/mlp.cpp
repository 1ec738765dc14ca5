#include "nn/layers/mlp.h"

#include "autograd/check.h"

namespace sesame {

Mlp::Mlp(const std::vector<std::int64_t>& widths, MlpOptions options) : dropout(options.dropout) {
  SESAME_CHECK(widths.size() >= 2, "Mlp", "needs at least an input and an output width, got {} widths",
               widths.size());
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    const bool last = i + 2 == widths.size();
    layers.emplace_back(widths[i], widths[i + 1],
                        LinearOptions{.activation = last ? Activation::None : options.activation});
  }
  register_module("layers", layers);
  register_module("dropout", dropout);
}

Tensor Mlp::forward(const Tensor& x, const Tensor& row_keys) const {
  Tensor h = x;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    h = layers[i].forward(h);
    if (i + 1 < layers.size()) h = dropout.forward(h, row_keys);
  }
  return h;
}

}  // namespace sesame
