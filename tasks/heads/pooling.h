// How one vector per sequence comes out of the encoder's states.
#pragma once

#include <string>

#include "autograd/segments.h"
#include "nn/layers/linear.h"
#include "nn/module.h"

namespace sesame {

enum class Pooling { Cls, Mean, Max, Attention };

// "cls", "mean", "max", "attention"; throws Error otherwise.
Pooling parse_pooling(const std::string& name);
const char* pooling_name(Pooling pooling);

// Attention pooling: the weights of the positions are a softmax of w . h_t + b within the sequence.
class AttentionPool : public Module {
 public:
  explicit AttentionPool(std::int64_t width);
  // states [T, H] -> [n, H].
  Tensor forward(const Tensor& states, const Segments& segments) const;

  Linear score;
};

}  // namespace sesame
