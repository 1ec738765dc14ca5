// Reductions and softmax over the rows of each segment, column by column: a block takes a segment and as many
// columns as there are up to kColumns. With s bytes an element of x: reductions move s, their gradients s for
// a maximum and 2 s else, softmax 2 s and 3 s backward; rows are read again from the cache.
#include "autograd/backend/cuda/kernels/matches.cuh"

namespace sesame::cuda {
namespace {

// Columns: 32, or 1 where x has one column (scores of attention pooling), so that the block shares its rows.
template <int Columns>
struct Tile {
  std::int64_t segment, begin, length, column, lane;
};
template <int Columns>
__device__ Tile<Columns> tile_of(const SegmentsView& segments, std::int64_t cols) {
  const std::int64_t tiles = (cols + Columns - 1) / Columns, item = blockIdx.x, s = item / tiles;
  return {s, segments.begin[s], segments.length[s], item % tiles * Columns + threadIdx.x % Columns,
          threadIdx.x / Columns};
}

// Calls run<Columns>(blocks).
template <class Run>
void with_tiles(const SegmentsView& segments, std::int64_t cols, Run run) {
  if (cols == 1) return run.template operator()<1>(static_cast<unsigned>(segments.count));
  run.template operator()<kColumns>(static_cast<unsigned>(segments.count) * blocks_for(cols, kColumns));
}

// Calls body(index) for this thread's elements of its column.
template <int Columns, class Body>
__device__ void each_row(const Tile<Columns>& tile, std::int64_t cols, Body body) {
  if (tile.column >= cols) return;
#pragma unroll 4
  for (std::int64_t i = tile.lane; i < tile.length; i += kBlock / Columns)
    body((tile.begin + i) * cols + tile.column);
}

// --- reductions ----------------------------------------------------------------------------------

// Of the rows of a segment, piece p of gridDim.y: out [count, pieces, cols].
template <int Columns, class Out, class T>
__global__ void segment_sum_kernel(bool mean, Out* out, const T* x, std::int64_t cols,
                                   SegmentsView segments) {
  const Tile<Columns> whole = tile_of<Columns>(segments, cols);
  const std::int64_t share = (whole.length + gridDim.y - 1) / gridDim.y, first = blockIdx.y * share;
  Tile<Columns> piece = whole;
  piece.begin += first;
  piece.length = first + share < whole.length ? share : whole.length - first;
  float sum = 0;
  each_row(piece, cols, [&](std::int64_t i) { sum += to_float(x[i]); });
  sum = column_combine<Columns>(sum, Plus{});
  if (mean && whole.length > 0) sum /= static_cast<float>(whole.length);
  if (whole.lane == 0 && whole.column < cols) {
    out[(whole.segment * gridDim.y + blockIdx.y) * cols + whole.column] = from_float<Out>(sum);
  }
}

// out [count, cols] = sums of partial [count, pieces, cols] over the pieces, in order.
template <class T>
__global__ void add_pieces_kernel(T* out, const float* partial, std::int64_t n, std::int64_t pieces,
                                  std::int64_t cols) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    const float* from = partial + i / cols * pieces * cols + i % cols;
    float sum = 0;
    for (std::int64_t piece = 0; piece < pieces; ++piece) sum += from[piece * cols];
    out[i] = from_float<T>(sum);
  }
}

// Few long segments are cut into pieces, so that there are blocks for a whole device.
template <int Columns, class T>
void segment_sum(bool mean, T* out, const T* x, std::int64_t cols, const SegmentsView& segments,
                 unsigned blocks) {
  constexpr unsigned wanted = 528, piece_rows = 64;
  const unsigned possible = blocks_for(segments.max_length, piece_rows), missing = blocks_for(wanted, blocks);
  const unsigned pieces = possible < missing ? possible : missing;
  if (pieces <= 1) {
    return launch("segment_sum", segment_sum_kernel<Columns, T, T>, blocks, kBlock, mean, out, x, cols,
                  segments);
  }
  const std::int64_t n = segments.count * cols;
  auto* partial = static_cast<float*>(scratch(sizeof(float) * static_cast<std::size_t>(n * pieces)));
  launch("segment_sum", segment_sum_kernel<Columns, float, T>, dim3(blocks, pieces), kBlock, mean, partial, x,
         cols, segments);
  launch("segment_sum", add_pieces_kernel<T>, loop_blocks(n), kBlock, out, partial, n, pieces, cols);
}

template <int Columns, class T>
__global__ void segment_max_kernel(T* out, std::int64_t* index, const T* x, std::int64_t cols,
                                   SegmentsView segments) {
  const Tile<Columns> tile = tile_of<Columns>(segments, cols);
  Ranked best{0, -1};
  each_row(tile, cols, [&](std::int64_t i) { best = Outranking{}(best, Ranked{to_float(x[i]), i / cols}); });
  best = column_combine<Columns>(best, Outranking{});
  if (tile.lane != 0 || tile.column >= cols) return;
  out[tile.segment * cols + tile.column] = from_float<T>(best.value);
  if (index != nullptr) index[tile.segment * cols + tile.column] = best.at;
}

void segment_reduce(SegmentOp op, const View& out, const View& index, const View& x,
                    const SegmentsView& segments) {
  if (out.numel == 0) return;
  const std::int64_t cols = out.size[1];
  SESAME_CUDA_TYPES("segment_reduce", x.dtype, with_tiles(segments, cols, [&]<int Columns>(unsigned blocks) {
                      if (op == SegmentOp::Max) {
                        launch("segment_max", segment_max_kernel<Columns, T>, blocks, kBlock, ptr<T>(out),
                               ptr<std::int64_t>(index), ptr<const T>(x), cols, segments);
                      } else {
                        segment_sum<Columns>(op == SegmentOp::Mean, ptr<T>(out), ptr<const T>(x), cols,
                                             segments, blocks);
                      }
                    }));
}

// A block takes kRowTile rows and kBlock columns. It finds the segments that reach into its rows, which may
// share rows, and adds their gradients in order.
constexpr int kRowTile = 32;

// Adds to one column of the rows [begin, end), several of which are under way at a time.
template <class T>
__device__ void add_to_rows(T* column, std::int64_t cols, std::int64_t begin, std::int64_t end, float value) {
  constexpr int ahead = 4;
  for (std::int64_t row = begin; row < end; row += ahead) {
    float sums[ahead];
    for (int k = 0; k < ahead; ++k) sums[k] = row + k < end ? to_float(column[(row + k) * cols]) + value : 0;
    for (int k = 0; k < ahead; ++k) {
      if (row + k < end) column[(row + k) * cols] = from_float<T>(sums[k]);
    }
  }
}

template <class T>
__global__ void segment_sum_backward_kernel(bool mean, T* dx, const T* dy, std::int64_t rows,
                                            std::int64_t cols, SegmentsView segments) {
  __shared__ int list[kBlock];
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kRowTile;
  const std::int64_t last = first + kRowTile < rows ? first + kRowTile : rows;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kBlock + threadIdx.x;
  for (std::int64_t base = 0; base < segments.count; base += kBlock) {
    const std::int64_t s = base + threadIdx.x;
    const bool reaches =
        s < segments.count && last > segments.begin[s] && first < segments.begin[s] + segments.length[s];
    const int found = ordered_matches(reaches, list);
    for (int m = 0; m < found && column < cols; ++m) {
      const std::int64_t segment = base + list[m], begin = segments.begin[segment];
      const std::int64_t end = begin + segments.length[segment];
      const float scale = mean ? 1.0f / static_cast<float>(segments.length[segment]) : 1.0f;
      const float gradient = scale * to_float(dy[segment * cols + column]);
      add_to_rows(dx + column, cols, first > begin ? first : begin, last < end ? last : end, gradient);
    }
  }
}

// A thread for each column walks over the segments, so that those with a common maximum add in order.
template <class T>
__global__ void segment_max_backward_kernel(T* dx, const T* dy, const std::int64_t* index, std::int64_t count,
                                            std::int64_t cols) {
  for (std::int64_t j = loop_begin(); j < cols; j += loop_step()) {
    for (std::int64_t s = 0; s < count; ++s) {
      const std::int64_t row = index[s * cols + j];
      if (row < 0) continue;
      T* to = dx + row * cols + j;
      *to = from_float<T>(to_float(*to) + to_float(dy[s * cols + j]));
    }
  }
}

// The maxima of separate blocks (segments without begins: reduce.cpp) never meet: all at once.
template <class T>
__global__ void scatter_maxima_kernel(T* dx, const T* dy, const std::int64_t* index, std::int64_t n,
                                      std::int64_t cols) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    if (index[i] >= 0) dx[index[i] * cols + i % cols] = dy[i];
  }
}

template <class T>
void reduce_backward(SegmentOp op, const View& dx, const View& dy, const View& index,
                     const SegmentsView& segments) {
  const std::int64_t cols = dy.size[1];
  if (op != SegmentOp::Max) {
    launch("segment_sum", segment_sum_backward_kernel<T>,
           dim3(blocks_for(dx.size[0], kRowTile), blocks_for(cols, kBlock)), kBlock, op == SegmentOp::Mean,
           ptr<T>(dx), ptr<const T>(dy), dx.size[0], cols, segments);
  } else if (segments.begin == nullptr) {
    launch("max", scatter_maxima_kernel<T>, loop_blocks(dy.numel), kBlock, ptr<T>(dx), ptr<const T>(dy),
           ptr<const std::int64_t>(index), dy.numel, cols);
  } else {
    launch("segment_max", segment_max_backward_kernel<T>, loop_blocks(cols), kBlock, ptr<T>(dx),
           ptr<const T>(dy), ptr<const std::int64_t>(index), segments.count, cols);
  }
}

void segment_reduce_backward(SegmentOp op, const View& dx, const View& dy, const View& index,
                             const SegmentsView& segments) {
  if (dy.numel == 0 || dx.numel == 0) return;
  SESAME_CUDA_TYPES("segment_reduce", dx.dtype, reduce_backward<T>(op, dx, dy, index, segments));
}

// --- softmax -------------------------------------------------------------------------------------

template <int Columns, class T>
__global__ void segment_softmax_kernel(T* out, const T* x, std::int64_t cols, SegmentsView segments) {
  const Tile<Columns> tile = tile_of<Columns>(segments, cols);
  float top = -INFINITY, sum = 0;
  each_row(tile, cols, [&](std::int64_t i) { top = fmaxf(top, to_float(x[i])); });
  top = column_combine<Columns>(top, Larger{});
  each_row(tile, cols, [&](std::int64_t i) { sum += expf(to_float(x[i]) - top); });
  sum = column_combine<Columns>(sum, Plus{});
  each_row(tile, cols, [&](std::int64_t i) { out[i] = from_float<T>(expf(to_float(x[i]) - top) / sum); });
}

template <int Columns, class T>
__global__ void segment_softmax_backward_kernel(T* dx, const T* dy, const T* y, std::int64_t cols,
                                                SegmentsView segments) {
  const Tile<Columns> tile = tile_of<Columns>(segments, cols);
  float dot = 0;
  each_row(tile, cols, [&](std::int64_t i) { dot += to_float(dy[i]) * to_float(y[i]); });
  dot = column_combine<Columns>(dot, Plus{});
  each_row(tile, cols,
           [&](std::int64_t i) { dx[i] = from_float<T>(to_float(y[i]) * (to_float(dy[i]) - dot)); });
}

void segment_softmax(const View& out, const View& x, const SegmentsView& segments) {
  const std::int64_t cols = x.size[1];
  SESAME_CUDA_TYPES("segment_softmax", x.dtype, with_tiles(segments, cols, [&]<int Columns>(unsigned blocks) {
                      launch("segment_softmax", segment_softmax_kernel<Columns, T>, blocks, kBlock,
                             ptr<T>(out), ptr<const T>(x), cols, segments);
                    }));
}

void segment_softmax_backward(const View& dx, const View& dy, const View& y, const SegmentsView& segments) {
  const std::int64_t cols = y.size[1];
  SESAME_CUDA_TYPES("segment_softmax", y.dtype, with_tiles(segments, cols, [&]<int Columns>(unsigned blocks) {
                      launch("segment_softmax", segment_softmax_backward_kernel<Columns, T>, blocks, kBlock,
                             ptr<T>(dx), ptr<const T>(dy), ptr<const T>(y), cols, segments);
                    }));
}

}  // namespace

void fill_segments(KernelTable& table) {
  table.segment_reduce = segment_reduce;
  table.segment_reduce_backward = segment_reduce_backward;
  table.segment_softmax = segment_softmax;
  table.segment_softmax_backward = segment_softmax_backward;
}

}  // namespace sesame::cuda
