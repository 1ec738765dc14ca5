// Stands for the header of the same name: the dynamic shared memory of a block.
#pragma once

#include "tests/cuda/emulator/block.h"

namespace sesame::cuda {

template <class V>
V* dynamic_shared() {
  return static_cast<V*>(emulated::dynamic_shared_memory());
}

}  // namespace sesame::cuda
