// Sums over the rows of a matrix, for bias and LayerNorm gradients: chunks of rows first, each summed by one
// block into scratch memory, then the chunks in order. The result depends on nothing but the sizes. Moves
// what a Source reads, and 8 bytes for each chunk and column.
//
// A Source gives kCount values for each element of the matrix: `values(row, column, out)` with out [kCount],
// or, where it has a kWidth, with out [kCount][kWidth] for kWidth neighbouring columns (cols a multiple of
// it). Each element is asked for once.
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

constexpr std::int64_t kLeastChunkRows = 32;
// Blocks that fill any device we know; more of them only make more partial sums.
constexpr std::int64_t kPartialBlocks = 2112;

template <class T, int Count>
struct ColumnOutputs {
  T* out[Count];
};

template <class Source>
inline constexpr int kSourceWidth = 1;
template <class Source>
requires requires { Source::kWidth; }
inline constexpr int kSourceWidth<Source> = Source::kWidth;

// Adds what a Source gives at (row, column) to the sums.
template <class Source, int Width>
__device__ void add_values(const Source& source, std::int64_t row, std::int64_t column,
                           float (&sums)[Source::kCount][Width]) {
  if constexpr (requires { Source::kWidth; }) {
    float values[Source::kCount][Width];
    source.values(row, column, values);
    for (int which = 0; which < Source::kCount; ++which) {
      for (int i = 0; i < Width; ++i) sums[which][i] += values[which][i];
    }
  } else {
    float values[Source::kCount];
    source.values(row, column, values);
    for (int which = 0; which < Source::kCount; ++which) sums[which][0] += values[which];
  }
}

// partial[(chunk * Source::kCount + which) * cols + column]; a single chunk goes to the outputs at once.
template <class Source, class T>
__global__ void __launch_bounds__(kBlock)
    column_partials_kernel(Source source, const __grid_constant__ ColumnOutputs<T, Source::kCount> outputs,
                           float* partial, std::int64_t rows, std::int64_t cols, std::int64_t chunk_rows) {
  constexpr int width = kSourceWidth<Source>, tile = kColumns * width;
  __shared__ float parts[kRowLanes][tile];
  const int lane = static_cast<int>(threadIdx.x) / kColumns, at = static_cast<int>(threadIdx.x) % kColumns;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * tile, column = first + at * width;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.y) * chunk_rows;
  const std::int64_t end = begin + chunk_rows < rows ? begin + chunk_rows : rows;
  float sums[Source::kCount][width] = {};
  if (column < cols) {
#pragma unroll 4
    for (std::int64_t row = begin + lane; row < end; row += kRowLanes) add_values(source, row, column, sums);
  }
  for (int which = 0; which < Source::kCount; ++which) {
    for (int i = 0; i < width; ++i) parts[lane][at * width + i] = sums[which][i];
    __syncthreads();
    for (int j = static_cast<int>(threadIdx.x); j < tile && first + j < cols; j += kBlock) {
      float sum = parts[0][j];
      for (int other = 1; other < kRowLanes; ++other) sum += parts[other][j];
      if (gridDim.y > 1) {
        partial[(static_cast<std::int64_t>(blockIdx.y) * Source::kCount + which) * cols + first + j] = sum;
      } else if (outputs.out[which] != nullptr) {
        outputs.out[which][first + j] = from_float<T>(sum);
      }
    }
    __syncthreads();
  }
}

// Adds partial [chunks, Count, cols] up: a block takes 32 columns of one output with a warp for every 32nd
// chunk.
constexpr int kFinishBlock = 1024;

template <class T, int Count>
__global__ void __launch_bounds__(kFinishBlock)
    column_finish_kernel(const __grid_constant__ ColumnOutputs<T, Count> outputs, const float* partial,
                         std::int64_t chunks, std::int64_t cols) {
  __shared__ float parts[32][33];
  T* const out = outputs.out[blockIdx.y];
  if (out == nullptr) return;  // the whole block
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * 32;
  float sum = 0;
  if (first + lane < cols) {
    const float* from = partial + blockIdx.y * cols + first + lane;
#pragma unroll 4
    for (std::int64_t chunk = warp; chunk < chunks; chunk += 32) sum += from[chunk * Count * cols];
  }
  parts[lane][warp] = sum;
  __syncthreads();
  const float total = warp_sum(parts[warp][lane]);
  if (lane == 0 && first + warp < cols) out[first + warp] = from_float<T>(total);
}

template <class T, int Count>
void column_finish(const char* op, const ColumnOutputs<T, Count>& outputs, const float* partial,
                   std::int64_t chunks, std::int64_t cols) {
  launch(op, column_finish_kernel<T, Count>, dim3(blocks_for(cols, 32), Count), kFinishBlock, outputs,
         partial, chunks, cols);
}

// Rows of a chunk.
inline std::int64_t chunk_rows_for(std::int64_t rows, std::int64_t tiles) {
  const std::int64_t wanted = (rows * tiles + kPartialBlocks - 1) / kPartialBlocks;
  const std::int64_t whole = (wanted + kRowLanes - 1) / kRowLanes * kRowLanes;
  return whole < kLeastChunkRows ? kLeastChunkRows : whole;
}

// out[which] [cols] (null: not wanted) = sums over the rows.
template <class Source, class T>
void column_sums(const char* op, const Source& source, std::int64_t rows, std::int64_t cols,
                 T* const (&out)[Source::kCount]) {
  constexpr int count = Source::kCount;
  ColumnOutputs<T, count> outputs;
  for (int which = 0; which < count; ++which) outputs.out[which] = out[which];
  const unsigned tiles = blocks_for(cols, kColumns * kSourceWidth<Source>);
  const std::int64_t chunk_rows = chunk_rows_for(rows, tiles);
  const std::int64_t chunks = rows <= chunk_rows ? 1 : (rows + chunk_rows - 1) / chunk_rows;
  float* partial = nullptr;
  if (chunks > 1)
    partial = static_cast<float*>(scratch(static_cast<std::size_t>(chunks * count * cols) * sizeof(float)));
  launch(op, column_partials_kernel<Source, T>, dim3(tiles, static_cast<unsigned>(chunks)), kBlock, source,
         outputs, partial, rows, cols, chunk_rows);
  if (chunks > 1) column_finish(op, outputs, partial, chunks, cols);
}

// The elements of a matrix themselves, Width neighbours at a time; rows are `stride` apart.
template <class T, int Width>
struct MatrixColumns {
  static constexpr int kCount = 1, kWidth = Width;
  const T* x;
  std::int64_t stride;
  __device__ void values(std::int64_t row, std::int64_t column, float (&out)[1][Width]) const {
    const Floats<Width> pack = load_floats<Width>(x + row * stride + column);
    for (int i = 0; i < Width; ++i) out[0][i] = pack[i];
  }
};

// out [cols] = column sums of x [rows, cols]. Moves s bytes an element.
template <class T>
void matrix_column_sums(const char* op, T* out, const T* x, std::int64_t stride, std::int64_t rows,
                        std::int64_t cols) {
  constexpr int width = pack_width<T>();
  T* const sums[1] = {out};
  if (cols % width == 0 && stride % width == 0 && takes_packs<width>(x)) {
    column_sums(op, MatrixColumns<T, width>{x, stride}, rows, cols, sums);
  } else {
    column_sums(op, MatrixColumns<T, 1>{x, stride}, rows, cols, sums);
  }
}

}  // namespace sesame::cuda
