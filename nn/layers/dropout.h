// Dropout whose draws are a function of (seed, step, module path, call in the module, example, position).
#pragma once

#include "autograd/backend/kernel_table.h"
#include "nn/module.h"

namespace sesame {

class Dropout : public Module {
 public:
  // p in [0, 1): probability of zeroing.
  explicit Dropout(double p);

  // x [rows, C]; row_keys [rows] from Segments::token_keys() or example_keys(). Identity in evaluation mode.
  Tensor forward(const Tensor& x, const Tensor& row_keys) const;
  // The draws of this call, for ops that fuse dropout. Inactive in evaluation mode. Each call draws anew; the
  // count restarts with every RandomScope (autograd/random.h).
  DropoutSpec next() const;

  double p() const { return p_; }
  void set_p(double p);

 private:
  double p_;
  mutable std::uint64_t calls_ = 0;
  mutable std::uint64_t scope_ = 0;
};

}  // namespace sesame
