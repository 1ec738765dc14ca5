// All weights of a model as one point: differences, directions, steps along them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/module.h"

namespace sesame {

// One tensor for each parameter of a model, in the order of Module::parameters(), with memory of its own. On
// the CPU in float32.
using Weights = std::vector<Tensor>;

// The weights as they are. Throws Error for a model that is not float32 on the CPU.
Weights copy_weights(const Module& model);
// Writes them back, bit for bit. Throws Error for a model of other shapes.
void set_weights(Module& model, const Weights& weights);
// Sets the model to base + step * direction.
void set_weights(Module& model, const Weights& base, double step, const Weights& direction);

// a - b.
Weights difference(const Weights& a, const Weights& b);
// weights += step * direction.
void add_to(Weights& weights, double step, const Weights& direction);
void scale(Weights& weights, double factor);
// Over all elements, in double.
double dot(const Weights& a, const Weights& b);
double norm(const Weights& weights);

// A random direction in which each filter is as long as that filter of `weights` (Li et al. 2018,
// "Visualizing the loss landscape of neural nets"): without this the picture shows the scale of the weights
// rather than the shape of the basin. A filter is a row of a matrix; biases and LayerNorms stay where they
// are, as there.
Weights filter_normalised(const Weights& weights, std::uint64_t seed);

// Puts the weights that a model has now back when it goes out of scope.
class KeepWeights {
 public:
  explicit KeepWeights(Module& model) : model_(model), weights_(copy_weights(model)) {}
  ~KeepWeights() { set_weights(model_, weights_); }
  KeepWeights(const KeepWeights&) = delete;
  KeepWeights& operator=(const KeepWeights&) = delete;

 private:
  Module& model_;
  Weights weights_;
};

}  // namespace sesame
