// Dropout of one row of a tensor, drawn from the row's key (DropoutSpec in kernel_table.h).
#pragma once

#include "autograd/backend/cpu/kernels/philox.h"

namespace sesame::cpu {
namespace SESAME_ISA {

// out[j] = x[j] * scale where column j is kept, else 0; plus add[j] when add is not null. out may be x.
template <class T>
inline void dropout_row(const DropoutSpec& spec, int64_t row_key, const T* x, const T* add, T* out,
                        int64_t cols) {
  constexpr int64_t kChunk = 512;  // words drawn at a time, a small table on the stack
  uint32_t words[kChunk];
  const uint64_t row = static_cast<uint64_t>(row_key);
  const T scale = static_cast<T>(spec.scale);
  const uint32_t threshold = spec.threshold;
  for (int64_t begin = 0; begin < cols; begin += kChunk) {
    const int64_t n = cols - begin < kChunk ? cols - begin : kChunk;
    philox_run(static_cast<uint32_t>(row >> 32), static_cast<uint32_t>(row), static_cast<uint32_t>(begin / 4),
               0, spec.key, (n + 3) / 4, words);
    const T *from = x + begin, *plus = add == nullptr ? nullptr : add + begin;
    T* to = out + begin;
    if (add == nullptr) {
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) to[j] = words[j] >= threshold ? from[j] * scale : T(0);
    } else {
#pragma omp simd
      for (int64_t j = 0; j < n; ++j) to[j] = plus[j] + (words[j] >= threshold ? from[j] * scale : T(0));
    }
  }
}

}  // namespace SESAME_ISA
}  // namespace sesame::cpu
