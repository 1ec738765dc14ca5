// Rows of a table by index: gather and overwriting. Rows whose index is out of range are left out (checks.cu
// reports them).
#include <climits>

#include "autograd/backend/cuda/kernels/indices.cuh"
#include "autograd/backend/cuda/kernels/scatter.cuh"

namespace sesame::cuda {
namespace {

// to[to_ids[i] or i] = from[from_ids[i] or i], in units of Word; null ids stand for i itself, and `limit` is
// the number of rows that the others may name. 32-bit indices where they fit. Moves 2 s bytes an element.
template <class Word, class Index>
__global__ void move_rows_kernel(Word* to, const Word* from, const std::int64_t* to_ids,
                                 const std::int64_t* from_ids, Index total, Index words,
                                 std::int64_t from_step, std::int64_t limit) {
  for (std::int64_t i = loop_begin(); i < total; i += loop_step()) {
    const Index row = static_cast<Index>(i) / words, j = static_cast<Index>(i) - row * words;
    const std::int64_t target = to_ids == nullptr ? static_cast<std::int64_t>(row) : to_ids[row];
    const std::int64_t source = from_ids == nullptr ? static_cast<std::int64_t>(row) : from_ids[row];
    const std::int64_t id = to_ids == nullptr ? source : target;
    if (!inside(id, limit)) continue;
    to[target * static_cast<std::int64_t>(words) + j] = from[source * from_step + j];
  }
}

// Rows of `width` bytes that are `step` bytes apart in `from`.
struct Move {
  const char* op;
  void* to;
  const void* from;
  const std::int64_t *to_ids, *from_ids;
  std::int64_t rows, width, step, limit;
};

template <class Word>
bool moved_as(const Move& m) {
  constexpr auto size = static_cast<std::int64_t>(sizeof(Word));
  const auto starts = reinterpret_cast<std::uintptr_t>(m.to) | reinterpret_cast<std::uintptr_t>(m.from);
  if (starts % sizeof(Word) != 0 || m.width % size != 0 || m.step % size != 0) return false;
  const std::int64_t words = m.width / size, total = m.rows * words;
  auto* const to = static_cast<Word*>(m.to);
  const auto* const from = static_cast<const Word*>(m.from);
  if (total <= INT_MAX) {
    launch(m.op, move_rows_kernel<Word, unsigned>, loop_blocks(total), kBlock, to, from, m.to_ids, m.from_ids,
           static_cast<unsigned>(total), static_cast<unsigned>(words), m.step / size, m.limit);
  } else {
    launch(m.op, move_rows_kernel<Word, std::int64_t>, loop_blocks(total), kBlock, to, from, m.to_ids,
           m.from_ids, total, words, m.step / size, m.limit);
  }
  return true;
}

// With the widest accesses that fit.
void move_rows(const Move& move) {
  if (moved_as<Pack<std::uint64_t, 2>>(move) || moved_as<std::uint64_t>(move) ||
      moved_as<std::uint32_t>(move) || moved_as<std::uint16_t>(move)) {
    return;
  }
  moved_as<std::uint8_t>(move);
}

void gather_rows(const View& out, const View& table, const View& ids) {
  if (out.numel == 0) return;
  const auto width = out.numel / ids.numel * static_cast<std::int64_t>(dtype_size(out.dtype));
  move_rows({"gather_rows", out.data, table.data, nullptr, ptr<const std::int64_t>(ids), ids.numel, width,
             width, table.size[0]});
}

void write_rows(const View& table, const View& rows, const View& ids) {
  if (rows.numel == 0) return;
  const auto size = static_cast<std::int64_t>(dtype_size(table.dtype));
  move_rows({"write_rows", table.data, rows.data, ptr<const std::int64_t>(ids), nullptr, ids.numel,
             rows.size[1] * size, rows.stride[0] * size, table.size[0]});
}

}  // namespace

void fill_rows(KernelTable& table) {
  table.gather_rows = gather_rows;
  table.scatter_add_rows = scatter_add_rows;
  table.write_rows = write_rows;
}

}  // namespace sesame::cuda
