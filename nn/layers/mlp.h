// MLP: linear layers with an activation between them; a classifier when a single linear layer is not enough.
#pragma once

#include <vector>

#include "nn/layers/dropout.h"
#include "nn/layers/linear.h"
#include "nn/module.h"

namespace sesame {

struct MlpOptions {
  Activation activation = Activation::Gelu;
  double dropout = 0;  // behind each activation
};

class Mlp : public Module {
 public:
  // widths = {in, hidden ..., out}: at least two. Layers are named "0", "1", ...
  explicit Mlp(const std::vector<std::int64_t>& widths, MlpOptions options = {});

  // x [rows, in] -> [rows, out]; row_keys [rows] for dropout.
  Tensor forward(const Tensor& x, const Tensor& row_keys) const;

  ModuleList<Linear> layers;
  Dropout dropout;
};

}  // namespace sesame
