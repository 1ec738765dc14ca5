// Rows of a table by index: gather, deterministic scatter-add, overwriting. Rows whose index is out of range
// are left out (checks.cu reports them).
#include "autograd/backend/cuda/kernels/indices.cuh"
#include "autograd/backend/cuda/kernels/matches.cuh"

namespace sesame::cuda {
namespace {

// to[to_ids[i] or i] = from[from_ids[i] or i], in units of Word; null ids stand for i itself, and `limit` is
// the number of rows that the others may name.
template <class Word>
__global__ void move_rows_kernel(Word* to, const Word* from, const std::int64_t* to_ids,
                                 const std::int64_t* from_ids, std::int64_t rows, std::int64_t words,
                                 std::int64_t from_step, std::int64_t limit) {
  for (std::int64_t i = loop_begin(); i < rows * words; i += loop_step()) {
    const std::int64_t row = i / words, j = i % words;
    const std::int64_t target = to_ids == nullptr ? row : to_ids[row];
    const std::int64_t source = from_ids == nullptr ? row : from_ids[row];
    if (!inside(to_ids == nullptr ? source : target, limit)) continue;
    to[target * words + j] = from[source * from_step + j];
  }
}

void move_rows(const char* op, DType dtype, void* to, const void* from, const std::int64_t* to_ids,
               const std::int64_t* from_ids, std::int64_t rows, std::int64_t cols, std::int64_t from_step,
               std::int64_t limit) {
  const auto run = [&]<class Word>(Word) {
    launch(op, move_rows_kernel<Word>, loop_blocks(rows * cols), kBlock, static_cast<Word*>(to),
           static_cast<const Word*>(from), to_ids, from_ids, rows, cols, from_step, limit);
  };
  switch (dtype_size(dtype)) {
    case 1:
      return run(std::uint8_t{});
    case 2:
      return run(std::uint16_t{});
    case 4:
      return run(std::uint32_t{});
    default:
      return run(std::uint64_t{});
  }
}

void gather_rows(const View& out, const View& table, const View& ids) {
  if (out.numel == 0) return;
  const std::int64_t cols = out.numel / ids.numel;
  move_rows("gather_rows", out.dtype, out.data, table.data, nullptr, ptr<const std::int64_t>(ids), ids.numel,
            cols, cols, table.size[0]);
}

void write_rows(const View& table, const View& rows, const View& ids) {
  if (rows.numel == 0) return;
  move_rows("write_rows", table.dtype, table.data, rows.data, ptr<const std::int64_t>(ids), nullptr,
            ids.numel, rows.size[1], rows.stride[0], table.size[0]);
}

// A block for each id and kBlock columns. The block of an id's first occurrence adds up all of them in
// ascending order; the others leave.
template <class T>
__global__ void scatter_add_kernel(T* table, const T* rows, const std::int64_t* ids, std::int64_t n,
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

void scatter_add_rows(const View& table, const View& rows, const View& ids) {
  if (rows.numel == 0) return;
  const std::int64_t n = ids.numel, cols = rows.numel / n;
  SESAME_CUDA_TYPES("scatter_add_rows", table.dtype,
                    launch("scatter_add_rows", scatter_add_kernel<T>,
                           dim3(static_cast<unsigned>(n), blocks_for(cols, kBlock)), kBlock, ptr<T>(table),
                           ptr<const T>(rows), ptr<const std::int64_t>(ids), n, cols, table.size[0]));
}

}  // namespace

void fill_rows(KernelTable& table) {
  table.gather_rows = gather_rows;
  table.scatter_add_rows = scatter_add_rows;
  table.write_rows = write_rows;
}

}  // namespace sesame::cuda
