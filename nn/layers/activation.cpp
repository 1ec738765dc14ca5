#include "nn/layers/activation.h"

#include "autograd/check.h"

namespace sesame {

Activation parse_activation(const std::string& name) {
  if (name == "gelu") return Activation::Gelu;
  if (name == "gelu_new" || name == "gelu_pytorch_tanh") return Activation::GeluTanh;
  if (name == "relu") return Activation::Relu;
  if (name == "tanh") return Activation::Tanh;
  if (name == "swish" || name == "silu") return Activation::Swish;
  if (name == "linear") return Activation::None;
  fail("activation",
       "unknown activation '{}': expected gelu, gelu_new, gelu_pytorch_tanh, relu, tanh, swish, silu or "
       "linear",
       name);
}

}  // namespace sesame
