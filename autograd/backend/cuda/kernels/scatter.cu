// Adding rows to a table by index: the gradient of an embedding, where some indices occur once and others in
// every row. The pairs (id, i) are sorted by id, equal ids by i. The sorted list is cut into chunks of fixed
// size; a thread walks over a chunk with a few columns and adds up runs of equal ids. A run inside of a chunk
// goes to the table; what belongs to a run that crosses a border between chunks is left as a partial sum, and
// a second kernel adds those in order. No atomics: the sums depend on the ids alone. Moves s bytes for each
// element of `rows`, 2 s for each element of the table that is added to, about 50 bytes for each id to sort
// them, and 16 bytes for each chunk and column.
#include <cub/device/device_radix_sort.cuh>
#include <utility>

#include "autograd/backend/cuda/kernels/indices.cuh"
#include "autograd/backend/cuda/kernels/matches.cuh"
#include "autograd/backend/cuda/kernels/scatter.cuh"

namespace sesame::cuda {
namespace {

using Key = std::uint32_t;

constexpr std::int64_t kFewIds = 64;  // not worth sorting
constexpr int kChunk = 32;
constexpr int kAhead = 8;  // rows that a thread has under way at a time

// --- few ids -------------------------------------------------------------------------------------

// A block for each id and kBlock columns. The block of an id's first occurrence adds up all of them in
// ascending order; the others leave.
template <class T>
__global__ void few_ids_kernel(T* table, const T* rows, const std::int64_t* ids, std::int64_t n,
                               std::int64_t cols, std::int64_t limit) {
  __shared__ int list[kBlock];
  const std::int64_t first = blockIdx.x, id = ids[first];
  if (!inside(id, limit)) return;  // the whole block
  int earlier = 0;
  for (std::int64_t i = threadIdx.x; i < first && earlier == 0; i += kBlock) earlier = ids[i] == id ? 1 : 0;
  if (__syncthreads_or(earlier) != 0) return;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.y) * kBlock + threadIdx.x;
  float sum = 0;
  for (std::int64_t base = first; base < n; base += kBlock) {
    const std::int64_t i = base + threadIdx.x;
    const int found = ordered_matches(i < n && ids[i] == id, list);
    for (int m = 0; m < found && column < cols; ++m) sum += to_float(rows[(base + list[m]) * cols + column]);
  }
  if (column >= cols) return;
  T* to = table + id * cols + column;
  *to = from_float<T>(to_float(*to) + sum);
}

// --- many ids ------------------------------------------------------------------------------------

// Ids outside of the table become `limit`, which no row of it has.
__global__ void pairs_kernel(Key* keys, int* order, const std::int64_t* ids, std::int64_t n,
                             std::int64_t limit) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    const std::int64_t id = ids[i];
    keys[i] = static_cast<Key>(inside(id, limit) ? id : limit);
    order[i] = static_cast<int>(i);
  }
}

struct Sorted {
  const Key* keys;
  const int* order;  // where in `ids` each of them came from
  float*
      partial;  // [chunks, 2, cols]: sums of a run that began before the chunk, and of one that goes on after
  std::int64_t n, chunks, cols, limit;
};

// Whether the run at `at` has begun before it.
__device__ bool goes_on(const Sorted& sorted, std::int64_t at) {
  return at > 0 && at < sorted.n && sorted.keys[at - 1] == sorted.keys[at];
}

template <int N, class T>
__device__ void add_to_table(T* table, const Sorted& sorted, Key id, std::int64_t column,
                             const Floats<N>& sum) {
  if (id >= sorted.limit) return;
  T* const to = table + static_cast<std::int64_t>(id) * sorted.cols + column;
  Floats<N> value = load_floats<N>(to);
  for (int i = 0; i < N; ++i) value[i] += sum[i];
  store_floats(to, value);
}

template <int N, class T>
__global__ void runs_kernel(T* table, const T* rows, Sorted sorted) {
  const std::int64_t packs = sorted.cols / N;
  for (std::int64_t item = loop_begin(); item < sorted.chunks * packs; item += loop_step()) {
    const std::int64_t chunk = item / packs, column = item % packs * N, begin = chunk * kChunk;
    const std::int64_t end = begin + kChunk < sorted.n ? begin + kChunk : sorted.n;
    float* const partial = sorted.partial + chunk * 2 * sorted.cols + column;
    Key id = sorted.keys[begin];
    bool began_before = goes_on(sorted, begin);
    Floats<N> sum{};
    const auto finish_run = [&](bool continues) {
      if (began_before) return store_floats(partial, sum);
      if (continues) return store_floats(partial + sorted.cols, sum);
      add_to_table(table, sorted, id, column, sum);
    };
    for (std::int64_t base = begin; base < end; base += kAhead) {
      Pack<T, N> ahead[kAhead];
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        if (base + k < end) ahead[k] = load_pack<N>(rows + sorted.order[base + k] * sorted.cols + column);
      }
#pragma unroll
      for (int k = 0; k < kAhead; ++k) {
        if (base + k >= end) break;
        const Key key = sorted.keys[base + k];
        if (key != id) {
          finish_run(false);
          began_before = false;
          id = key;
          sum = {};
        }
        const Floats<N> value = to_floats(ahead[k]);
        for (int i = 0; i < N; ++i) sum[i] += value[i];
      }
    }
    finish_run(goes_on(sorted, end));
  }
}

// Chunks after `chunk` that begin with the same id. Every thread of the block calls it.
__device__ std::int64_t chunks_that_follow(const Sorted& sorted, std::int64_t chunk, Key id) {
  std::int64_t total = 0;
  for (std::int64_t base = chunk + 1;; base += kBlock) {
    const std::int64_t at = base + threadIdx.x;
    const int found = __syncthreads_count(at < sorted.chunks && sorted.keys[at * kChunk] == id);
    total += found;
    if (found < kBlock) return total;
  }
}

// A block for each chunk and 32 N columns adds up the run that begins there and goes on after it, if there is
// one.
template <int N, class T>
__global__ void __launch_bounds__(kBlock) crossing_runs_kernel(T* table, Sorted sorted) {
  constexpr int warps = kBlock / 32;
  __shared__ float parts[warps][32 * N];
  const std::int64_t chunk = blockIdx.x, begin = chunk * kChunk, end = begin + kChunk;
  if (!goes_on(sorted, end)) return;  // the whole block, as below
  const Key id = sorted.keys[end];
  if (sorted.keys[begin] == id && goes_on(sorted, begin)) return;
  const std::int64_t others = chunks_that_follow(sorted, chunk, id);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.y) * 32 * N, column = first + lane * N;
  Floats<N> sum{};
  if (column < sorted.cols) {
    const float* const from = sorted.partial + column;
    if (warp == 0) sum = load_floats<N>(from + (2 * chunk + 1) * sorted.cols);
#pragma unroll 4
    for (std::int64_t other = chunk + 1 + warp; other <= chunk + others; other += warps) {
      const Floats<N> value = load_floats<N>(from + 2 * other * sorted.cols);
      for (int i = 0; i < N; ++i) sum[i] += value[i];
    }
  }
  for (int i = 0; i < N; ++i) parts[warp][lane * N + i] = sum[i];
  __syncthreads();
  const int j = static_cast<int>(threadIdx.x);
  if (j >= 32 * N || first + j >= sorted.cols) return;
  Floats<1> total{};
  for (int other = 0; other < warps; ++other) total[0] += parts[other][j];
  add_to_table(table, sorted, id, first + j, total);
}

// Bytes of `count` elements of V, so that what follows is aligned.
template <class V>
std::size_t padded(std::int64_t count) {
  return (static_cast<std::size_t>(count) * sizeof(V) + 255) / 256 * 256;
}

// Sorts the ids. One block of scratch memory holds everything.
Sorted sort_ids(const std::int64_t* ids, std::int64_t n, std::int64_t cols, std::int64_t limit) {
  constexpr const char* op = "scatter_add_rows";
  const std::int64_t chunks = (n + kChunk - 1) / kChunk;
  int bits = 1;
  while (limit >> bits != 0) ++bits;
  const auto count = static_cast<int>(n);
  std::size_t temporary = 0;
  check(cub::DeviceRadixSort::SortPairs(nullptr, temporary, static_cast<const Key*>(nullptr),
                                        static_cast<Key*>(nullptr), static_cast<const int*>(nullptr),
                                        static_cast<int*>(nullptr), count, 0, bits, stream()),
        op);
  const std::size_t keys = padded<Key>(n), order = padded<int>(n), partial = padded<float>(chunks * 2 * cols);
  auto* at = static_cast<char*>(scratch(2 * keys + 2 * order + partial + temporary));
  const auto take = [&at](std::size_t bytes) { return std::exchange(at, at + bytes); };
  auto *keys_in = reinterpret_cast<Key*>(take(keys)), *keys_out = reinterpret_cast<Key*>(take(keys));
  auto *order_in = reinterpret_cast<int*>(take(order)), *order_out = reinterpret_cast<int*>(take(order));
  auto* sums = reinterpret_cast<float*>(take(partial));
  launch(op, pairs_kernel, loop_blocks(n), kBlock, keys_in, order_in, ids, n, limit);
  check(
      cub::DeviceRadixSort::SortPairs(at, temporary, static_cast<const Key*>(keys_in), keys_out,
                                      static_cast<const int*>(order_in), order_out, count, 0, bits, stream()),
      op);
  return {keys_out, order_out, sums, n, chunks, cols, limit};
}

template <int N, class T>
void add_runs(T* table, const T* rows, const Sorted& sorted) {
  constexpr const char* op = "scatter_add_rows";
  launch(op, runs_kernel<N, T>, loop_blocks(sorted.chunks * (sorted.cols / N)), kBlock, table, rows, sorted);
  // Partial sums are float32 whatever T is: four of them at a time where columns come in packs.
  constexpr int width = N == 1 ? 1 : 4;
  launch(op, crossing_runs_kernel<width, T>,
         dim3(static_cast<unsigned>(sorted.chunks - 1), blocks_for(sorted.cols, 32 * width)), kBlock, table,
         sorted);
}

template <class T>
void scatter_add(T* table, const T* rows, const std::int64_t* ids, std::int64_t n, std::int64_t cols,
                 std::int64_t limit) {
  if (n <= kFewIds) {
    return launch("scatter_add_rows", few_ids_kernel<T>,
                  dim3(static_cast<unsigned>(n), blocks_for(cols, kBlock)), kBlock, table, rows, ids, n, cols,
                  limit);
  }
  const Sorted sorted = sort_ids(ids, n, cols, limit);
  constexpr int width = pack_width<T>();
  if (cols % width == 0 && takes_packs<width>(table) && takes_packs<width>(rows)) {
    add_runs<width>(table, rows, sorted);
  } else {
    add_runs<1>(table, rows, sorted);
  }
}

}  // namespace

void scatter_add_rows(const View& table, const View& rows, const View& ids) {
  if (rows.numel == 0) return;
  const std::int64_t n = ids.numel, cols = rows.numel / n;
  SESAME_CUDA_TYPES(
      "scatter_add_rows", table.dtype,
      scatter_add(ptr<T>(table), ptr<const T>(rows), ptr<const std::int64_t>(ids), n, cols, table.size[0]));
}

}  // namespace sesame::cuda
