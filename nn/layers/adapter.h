// Bottleneck adapters: small modules trained in place of the layer around them (Houlsby et al. 2019,
// section 2.1; Pfeiffer et al. 2021). Names of parameters are those of the library `adapters`.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nn/layers/linear.h"
#include "nn/module.h"

namespace sesame {

struct AdapterOptions {
  std::int64_t width = 0;                     // of the states
  std::int64_t size = 64;                     // of the bottleneck
  Activation activation = Activation::Swish;  // between the two projections
  // Whether the adapter reads the states after the residual connection and LayerNorm (Pfeiffer's) or before
  // (Houlsby's); nn/layers/transformer_layer.h has both formulas.
  bool after_norm = false;
};

class Adapter : public Module {
 public:
  // Zero until initialised: the skip connection alone.
  explicit Adapter(const AdapterOptions& options);

  // skip + up(activation(down(x))): x, skip [T, width] -> [T, width].
  Tensor forward(const Tensor& x, const Tensor& skip) const;
  bool after_norm() const { return after_norm_; }

  ModuleList<Linear> down;  // "adapter_down.0": [size, width]
  Linear up;                // "adapter_up": [width, size]

 private:
  bool after_norm_;
};

// The adapters at one place of a model, by name; at most one of them takes part at a time.
class AdapterPoint : public Module {
 public:
  // Throws Error for a name that is taken, empty or has a dot. The new adapter is not active.
  Adapter& add(const std::string& name, const AdapterOptions& options);
  // Null when there is none of that name.
  Adapter* find(const std::string& name) const;
  // A name that is not here (or "") means that no adapter takes part.
  void set_active(const std::string& name) { active_ = find(name); }
  const Adapter* active() const { return active_; }

 private:
  std::vector<std::pair<std::string, std::unique_ptr<Adapter>>> adapters_;
  const Adapter* active_ = nullptr;
};

}  // namespace sesame
