// Streams of the emulated device: what is asked for waits in a queue until somebody waits for it, or becomes
// part of a graph.
#pragma once

#include <cuda_runtime.h>

#include <functional>

namespace emulated {

using Work = std::function<void()>;

// What a cudaStream_t points to. Virtual, so that a library opened at run time needs no symbol of the
// program.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual cudaError_t enqueue(Work work) = 0;
};

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, Work thread);
cudaError_t set_attribute(const void* kernel, cudaFuncAttribute attribute, int value);

}  // namespace emulated
