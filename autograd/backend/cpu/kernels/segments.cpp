// Reductions and softmax over the rows of each segment, column by column, in tiles of kTile columns.
#include "autograd/backend/cpu/kernels/columns.h"
#include "autograd/backend/cpu/kernels/vmath.h"

SESAME_KERNELS_BEGIN
namespace {

// One tile of one segment of a [T, cols] matrix.
struct Tile {
  int64_t segment, begin, length;  // rows
  int64_t column, width;
};

inline int64_t tiles_of(int64_t cols) { return (cols + kTile - 1) / kTile; }

inline Tile tile_at(const SegmentsView& segments, int64_t item, int64_t cols) {
  const int64_t tiles = tiles_of(cols), s = item / tiles, column = item % tiles * kTile;
  return {s, segments.begin[s], segments.length[s], column, column + kTile < cols ? kTile : cols - column};
}

// --- reductions ----------------------------------------------------------------------------------

template <class T>
void max_of_tile(T* out, int64_t* index, const T* x, const Tile& tile, int64_t cols) {
  T best[kTile] = {};
  int64_t at[kTile];
  if (tile.length > 0) {
    max_tile(best, at, x + tile.begin * cols + tile.column, tile.length, cols, tile.width);
  } else {
    for (int64_t j = 0; j < tile.width; ++j) at[j] = -1 - tile.begin;  // becomes -1 below
  }
  const int64_t first = tile.segment * cols + tile.column;
  for (int64_t j = 0; j < tile.width; ++j) {
    out[first + j] = best[j];
    if (index != nullptr) index[first + j] = tile.begin + at[j];
  }
}

template <class T>
void reduce_typed(SegmentOp op, T* out, int64_t* index, const T* x, int64_t cols,
                  const SegmentsView& segments) {
#pragma omp parallel for schedule(static) if (segments.total * cols > kParallelGrain)
  for (int64_t item = 0; item < segments.count * tiles_of(cols); ++item) {
    const Tile tile = tile_at(segments, item, cols);
    if (op == SegmentOp::Max) {
      max_of_tile(out, index, x, tile, cols);
    } else {
      const double scale =
          op == SegmentOp::Mean && tile.length > 0 ? 1.0 / static_cast<double>(tile.length) : 1.0;
      sum_tile(out + tile.segment * cols + tile.column, x + tile.begin * cols + tile.column, tile.length,
               cols, tile.width, scale);
    }
  }
}

void segment_reduce(SegmentOp op, const View& out, const View& index, const View& x,
                    const SegmentsView& segments) {
  if (out.numel == 0) return;
  const int64_t cols = out.size[1];
  SESAME_FLOAT_TYPES("segment_reduce", x.dtype,
                     reduce_typed(op, ptr<T>(out), ptr<int64_t>(index), ptr<const T>(x), cols, segments));
}

// Threads share the columns, so that segments may overlap.
template <class T>
void reduce_backward_typed(SegmentOp op, T* dx, const T* dy, const int64_t* index, int64_t cols,
                           const SegmentsView& segments) {
  const int64_t work = (op == SegmentOp::Max ? segments.count : segments.total) * cols;
#pragma omp parallel if (work > kParallelGrain)
  {
    const Range part = thread_share(cols, 16);
    for (int64_t s = 0; s < segments.count; ++s) {
      const T* g = dy + s * cols;
      if (op == SegmentOp::Max) {
        for (int64_t j = part.begin; j < part.end; ++j) {
          const int64_t row = index[s * cols + j];
          if (row >= 0) dx[row * cols + j] += g[j];
        }
        continue;
      }
      const int64_t begin = segments.begin[s], length = segments.length[s];
      const T scale = op == SegmentOp::Mean && length > 0 ? T(1) / static_cast<T>(length) : T(1);
      for (int64_t i = begin; i < begin + length; ++i) {
        T* row = dx + i * cols;
#pragma omp simd
        for (int64_t j = part.begin; j < part.end; ++j) row[j] += scale * g[j];
      }
    }
  }
}

void segment_reduce_backward(SegmentOp op, const View& dx, const View& dy, const View& index,
                             const SegmentsView& segments) {
  if (dy.numel == 0 || dx.numel == 0) return;
  const int64_t cols = dy.size[1];
  SESAME_FLOAT_TYPES(
      "segment_reduce_backward", dx.dtype,
      reduce_backward_typed(op, ptr<T>(dx), ptr<const T>(dy), ptr<const int64_t>(index), cols, segments));
}

// --- softmax -------------------------------------------------------------------------------------

template <class T>
void softmax_tile(T* out, const T* x, const Tile& tile, int64_t cols) {
  if (tile.length == 0) return;
  const int64_t first = tile.begin * cols + tile.column;
  T best[kTile];
  int64_t at[kTile];
  max_tile(best, at, x + first, tile.length, cols, tile.width);
  T total[kTile] = {};
  for (int64_t i = 0; i < tile.length; ++i) {
    const T* from = x + first + i * cols;
    T* to = out + first + i * cols;
#pragma omp simd
    for (int64_t j = 0; j < tile.width; ++j) {
      const T e = vexp(from[j] - best[j]);
      to[j] = e;
      total[j] += e;
    }
  }
  for (int64_t j = 0; j < tile.width; ++j) total[j] = T(1) / total[j];
  for (int64_t i = 0; i < tile.length; ++i) {
    T* to = out + first + i * cols;
#pragma omp simd
    for (int64_t j = 0; j < tile.width; ++j) to[j] *= total[j];
  }
}

template <class T>
void softmax_backward_tile(T* dx, const T* dy, const T* y, const Tile& tile, int64_t cols) {
  const int64_t first = tile.begin * cols + tile.column;
  T dot[kTile] = {};
  for (int64_t i = 0; i < tile.length; ++i) {
    const T *g = dy + first + i * cols, *p = y + first + i * cols;
#pragma omp simd
    for (int64_t j = 0; j < tile.width; ++j) dot[j] += g[j] * p[j];
  }
  for (int64_t i = 0; i < tile.length; ++i) {
    const T *g = dy + first + i * cols, *p = y + first + i * cols;
    T* out = dx + first + i * cols;
#pragma omp simd
    for (int64_t j = 0; j < tile.width; ++j) out[j] = p[j] * (g[j] - dot[j]);
  }
}

template <class T>
void softmax_typed(T* out, const T* x, int64_t cols, const SegmentsView& segments) {
#pragma omp parallel for schedule(static) if (segments.total * cols > kParallelGrain)
  for (int64_t item = 0; item < segments.count * tiles_of(cols); ++item) {
    softmax_tile(out, x, tile_at(segments, item, cols), cols);
  }
}

template <class T>
void softmax_backward_typed(T* dx, const T* dy, const T* y, int64_t cols, const SegmentsView& segments) {
#pragma omp parallel for schedule(static) if (segments.total * cols > kParallelGrain)
  for (int64_t item = 0; item < segments.count * tiles_of(cols); ++item) {
    softmax_backward_tile(dx, dy, y, tile_at(segments, item, cols), cols);
  }
}

void segment_softmax(const View& out, const View& x, const SegmentsView& segments) {
  SESAME_FLOAT_TYPES("segment_softmax", x.dtype,
                     softmax_typed(ptr<T>(out), ptr<const T>(x), x.size[1], segments));
}

void segment_softmax_backward(const View& dx, const View& dy, const View& y, const SegmentsView& segments) {
  SESAME_FLOAT_TYPES(
      "segment_softmax_backward", y.dtype,
      softmax_backward_typed(ptr<T>(dx), ptr<const T>(dy), ptr<const T>(y), y.size[1], segments));
}

}  // namespace

void fill_segments(KernelTable& table) {
  table.segment_reduce = segment_reduce;
  table.segment_reduce_backward = segment_reduce_backward;
  table.segment_softmax = segment_softmax;
  table.segment_softmax_backward = segment_softmax_backward;
}

SESAME_KERNELS_END
