// Sum and maximum over the middle axis of [outer, n, inner], and the k largest of rows.
// The order of every sum is fixed by the sizes alone. Sums and maxima move s bytes an element, the k largest
// k s.
#include "autograd/backend/cuda/kernels/column_sums.cuh"
#include "autograd/backend/cuda/kernels/row_team.cuh"

namespace sesame::cuda {
namespace {

// --- inner == 1: a team of threads for each row --------------------------------------------------

// Rows of `cols` columns, of which piece p of gridDim.y takes [p * length, (p + 1) * length): out [rows,
// pieces].
template <int N, int Lanes, class Out, class In>
__global__ void sum_rows_kernel(Out* out, const In* x, std::int64_t rows, std::int64_t cols,
                                std::int64_t length) {
  const std::int64_t row = team_row<Lanes>(), begin = blockIdx.y * length;
  if (row >= rows) return;  // the whole team
  const In* from = x + row * cols + begin;
  float sum = 0;
  each_pack<N, Lanes>(begin + length < cols ? length : cols - begin, [&](std::int64_t j) {
    const Floats<N> values = load_floats<N>(from + j);
    for (int i = 0; i < N; ++i) sum += values[i];
  });
  sum = team_sum<Lanes>(sum);
  if (team_lane<Lanes>() == 0) out[row * gridDim.y + blockIdx.y] = from_float<Out>(sum);
}

template <class Out, class In>
void sum_rows(Out* out, const In* x, std::int64_t rows, std::int64_t cols, std::int64_t pieces,
              std::int64_t length) {
  with_team<In>(rows, cols, {x}, [&]<int N, int Lanes>(unsigned blocks) {
    launch("sum", sum_rows_kernel<N, Lanes, Out, In>, dim3(blocks, static_cast<unsigned>(pieces)), kBlock,
           out, x, rows, cols, length);
  });
}

// Few long rows are cut into pieces, whose sums are added up in order.
template <class T>
void sum_all_rows(T* out, const T* x, std::int64_t rows, std::int64_t cols) {
  constexpr std::int64_t least = 4096, most_blocks = 1024;
  const std::int64_t wanted = rows >= most_blocks ? 1 : most_blocks / rows;
  const std::int64_t whole = ((cols + wanted - 1) / wanted + kBlock - 1) / kBlock * kBlock;
  const std::int64_t length = whole < least ? least : whole;
  if (cols <= length) return sum_rows(out, x, rows, cols, 1, cols);
  const std::int64_t pieces = (cols + length - 1) / length;
  auto* partial = static_cast<float*>(scratch(sizeof(float) * static_cast<std::size_t>(rows * pieces)));
  sum_rows(partial, x, rows, cols, pieces, length);
  sum_rows(out, static_cast<const float*>(partial), rows, pieces, 1, pieces);
}

template <class T>
__global__ void max_rows_kernel(T* out, std::int64_t* index, const T* x, std::int64_t n) {
  const T* row = x + static_cast<std::int64_t>(blockIdx.x) * n;
  Ranked best{0, -1};
  for (std::int64_t i = threadIdx.x; i < n; i += kBlock)
    best = Outranking{}(best, Ranked{to_float(row[i]), i});
  best = block_combine(best, Outranking{});
  if (threadIdx.x != 0) return;
  out[blockIdx.x] = from_float<T>(best.value);
  if (index != nullptr) index[blockIdx.x] = best.at;
}

// --- else: a block for each tile of columns ------------------------------------------------------

// Tiles of columns of all outer blocks in a row: x [outer, n, inner].
struct Tile {
  std::int64_t outer, column;
};
__device__ Tile tile_of(std::int64_t inner) {
  const std::int64_t tiles = (inner + kColumns - 1) / kColumns, item = blockIdx.x;
  return {item / tiles, item % tiles * kColumns + threadIdx.x % kColumns};
}

template <class T>
__global__ void sum_columns_kernel(T* out, const T* x, std::int64_t n, std::int64_t inner) {
  const Tile tile = tile_of(inner);
  const T* from = x + tile.outer * n * inner;
  float sum = 0;
  for (std::int64_t i = threadIdx.x / kColumns; i < n && tile.column < inner; i += kRowLanes) {
    sum += to_float(from[i * inner + tile.column]);
  }
  sum = column_combine(sum, Plus{});
  if (threadIdx.x < kColumns && tile.column < inner)
    out[tile.outer * inner + tile.column] = from_float<T>(sum);
}

template <class T>
__global__ void max_columns_kernel(T* out, std::int64_t* index, const T* x, std::int64_t n,
                                   std::int64_t inner) {
  const Tile tile = tile_of(inner);
  const T* from = x + tile.outer * n * inner;
  Ranked best{0, -1};
  for (std::int64_t i = threadIdx.x / kColumns; i < n && tile.column < inner; i += kRowLanes) {
    best = Outranking{}(best, Ranked{to_float(from[i * inner + tile.column]), i});
  }
  best = column_combine(best, Outranking{});
  if (threadIdx.x >= kColumns || tile.column >= inner) return;
  out[tile.outer * inner + tile.column] = from_float<T>(best.value);
  if (index != nullptr) index[tile.outer * inner + tile.column] = best.at;
}

template <class T>
void reduce_typed(ReduceOp op, T* out, std::int64_t* index, const T* x, std::int64_t outer, std::int64_t n,
                  std::int64_t inner) {
  const auto rows = static_cast<unsigned>(outer);
  const auto tiles = static_cast<unsigned>(outer * ((inner + kColumns - 1) / kColumns));
  if (op == ReduceOp::Sum && inner == 1) return sum_all_rows(out, x, outer, n);
  if (op == ReduceOp::Sum && outer == 1) return matrix_column_sums("sum", out, x, inner, n, inner);
  if (op == ReduceOp::Sum) return launch("sum", sum_columns_kernel<T>, tiles, kBlock, out, x, n, inner);
  if (inner == 1) return launch("max", max_rows_kernel<T>, rows, kBlock, out, index, x, n);
  launch("max", max_columns_kernel<T>, tiles, kBlock, out, index, x, n, inner);
}

void reduce(ReduceOp op, const View& out, const View& index, const View& x, std::int64_t outer,
            std::int64_t n, std::int64_t inner) {
  if (outer == 0 || inner == 0) return;
  SESAME_CUDA_TYPES(
      "reduce", x.dtype,
      reduce_typed(op, ptr<T>(out), ptr<std::int64_t>(index), ptr<const T>(x), outer, n, inner));
}

// --- the k largest -------------------------------------------------------------------------------

// A block for each row takes the best of what comes after the last one, k times. A NaN counts as -infinity.
template <class T>
__global__ void top_k_kernel(T* values, std::int64_t* index, const T* x, std::int64_t n, std::int64_t k) {
  const std::int64_t row = blockIdx.x;
  Ranked last{0, -1};
  for (std::int64_t place = 0; place < k; ++place) {
    Ranked best{0, -1};
    for (std::int64_t i = threadIdx.x; i < n; i += kBlock) {
      const float value = to_float(x[row * n + i]);
      const Ranked candidate{value == value ? value : -INFINITY, i};
      if (last.at < 0 || outranks(last, candidate)) best = Outranking{}(best, candidate);
    }
    // `last` itself never outranks itself: equal values go by position.
    best = block_combine(best, Outranking{});
    last = best;
    if (threadIdx.x == 0) {
      values[row * k + place] = from_float<T>(best.value);
      index[row * k + place] = best.at;
    }
  }
}

void top_k(const View& values, const View& index, const View& x, std::int64_t k) {
  SESAME_CUDA_TYPES("top_k", x.dtype,
                    launch("top_k", top_k_kernel<T>, static_cast<unsigned>(x.size[0]), kBlock, ptr<T>(values),
                           ptr<std::int64_t>(index), ptr<const T>(x), x.size[1], k));
}

}  // namespace

void fill_reduce(KernelTable& table) {
  table.reduce = reduce;
  table.top_k = top_k;
}

}  // namespace sesame::cuda
