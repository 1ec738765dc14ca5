// Activation functions by their names in Hugging Face configurations.
#pragma once

#include <string>

#include "autograd/backend/kernel_table.h"

namespace sesame {

// "gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "tanh", "swish", "silu", "linear"; throws Error with the
// list otherwise.
Activation parse_activation(const std::string& name);

}  // namespace sesame
