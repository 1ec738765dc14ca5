// The dynamic shared memory of a block: as many bytes as the launch asked for, aligned to 128.
#pragma once

namespace sesame::cuda {

template <class V>
__device__ V* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char sesame_shared_memory[];
  return reinterpret_cast<V*>(sesame_shared_memory);
}

}  // namespace sesame::cuda
