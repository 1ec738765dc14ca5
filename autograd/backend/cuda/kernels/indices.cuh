// Indices that an op has checked without waiting for the answer: kernels leave out what is out of range.
#pragma once

#include <cstdint>

namespace sesame::cuda {

__device__ inline bool inside(std::int64_t index, std::int64_t limit) { return index >= 0 && index < limit; }

}  // namespace sesame::cuda
