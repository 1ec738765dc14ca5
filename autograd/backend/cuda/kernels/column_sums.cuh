// Sums over the rows of a matrix, for bias and LayerNorm gradients: chunks of rows first, each summed by one
// block into scratch memory, then the chunks in order. The result depends on nothing but the sizes.
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

constexpr int kChunkRows = 128;

// partial[(chunk * Source::kCount + which) * cols + column]. A Source gives Source::kCount values for each
// (row, column).
template <class Source>
__global__ void column_partials_kernel(Source source, float* partial, std::int64_t rows, std::int64_t cols) {
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kColumns + threadIdx.x % kColumns;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.y) * kChunkRows;
  const std::int64_t end = begin + kChunkRows < rows ? begin + kChunkRows : rows;
  float sums[Source::kCount] = {};
  for (std::int64_t row = begin + threadIdx.x / kColumns; row < end && column < cols; row += kRowLanes) {
    float values[Source::kCount];
    source.values(row, column, values);
    for (int which = 0; which < Source::kCount; ++which) sums[which] += values[which];
  }
  for (int which = 0; which < Source::kCount; ++which) {
    const float sum = column_combine<kColumns>(sums[which], Plus{});
    if (threadIdx.x < kColumns && column < cols) {
      partial[(static_cast<std::int64_t>(blockIdx.y) * Source::kCount + which) * cols + column] = sum;
    }
  }
}

template <class T>
__global__ void column_finish_kernel(T* out, const float* partial, std::int64_t chunks, std::int64_t step,
                                     std::int64_t cols) {
  for (std::int64_t j = loop_begin(); j < cols; j += loop_step()) {
    float sum = 0;
    for (std::int64_t chunk = 0; chunk < chunks; ++chunk) sum += partial[chunk * step + j];
    out[j] = from_float<T>(sum);
  }
}

// out[which] [cols] (null: not wanted) = sums over the rows.
template <class Source, class T>
void column_sums(const char* op, const Source& source, std::int64_t rows, std::int64_t cols,
                 T* const (&out)[Source::kCount]) {
  const std::int64_t chunks = (rows + kChunkRows - 1) / kChunkRows;
  if (chunks > 65535) refuse(op, "%lld rows: at most 8 million on CUDA", static_cast<long long>(rows));
  auto* partial = static_cast<float*>(
      scratch(static_cast<std::size_t>(chunks * Source::kCount * cols + 1) * sizeof(float)));
  launch(op, column_partials_kernel<Source>, dim3(blocks_for(cols, kColumns), static_cast<unsigned>(chunks)),
         kBlock, source, partial, rows, cols);
  for (int which = 0; which < Source::kCount; ++which) {
    if (out[which] == nullptr) continue;
    launch(op, column_finish_kernel<T>, loop_blocks(cols), kBlock, out[which], partial + which * cols, chunks,
           Source::kCount * cols, cols);
  }
}

}  // namespace sesame::cuda
