// Rows of a table by index: gather, deterministic scatter-add, overwriting.
#include "autograd/backend/cpu/kernels/isa.h"

SESAME_KERNELS_BEGIN
namespace {

void gather_rows(const View& out, const View& table, const View& ids) {
  if (out.numel == 0) return;
  const int64_t rows = ids.numel;
  const size_t bytes = static_cast<size_t>(out.numel / rows) * dtype_size(out.dtype);
  char* to = ptr<char>(out);
  const char* from = ptr<const char>(table);
  const int64_t* id = ptr<const int64_t>(ids);
#pragma omp parallel for schedule(static) if (out.numel > kParallelGrain)
  for (int64_t i = 0; i < rows; ++i) memcpy(to + i * bytes, from + id[i] * bytes, bytes);
}

// Every thread walks all ids in order. Wide rows: each owns a slice of the columns; narrow ones: each owns
// groups of 16 rows of the table. Either way an element of the table belongs to one thread, which adds in
// ascending order.
template <class T>
void scatter_add(T* table, const T* rows, const int64_t* ids, int64_t n, int64_t cols) {
#pragma omp parallel if (n * cols > kParallelGrain)
  {
    const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    const bool wide = cols >= 32 * threads;
    const Range part = wide ? thread_share(cols, 16) : Range{0, cols};
    for (int64_t i = 0; i < n; ++i) {
      if (!wide && (ids[i] >> 4) % threads != thread) continue;
      T* to = table + ids[i] * cols;
      const T* from = rows + i * cols;
#pragma omp simd
      for (int64_t j = part.begin; j < part.end; ++j) to[j] += from[j];
    }
  }
}

void scatter_add_rows(const View& table, const View& rows, const View& ids) {
  if (rows.numel == 0) return;
  const int64_t n = ids.numel, cols = rows.numel / n;
  SESAME_FLOAT_TYPES("scatter_add_rows", table.dtype,
                     scatter_add(ptr<T>(table), ptr<const T>(rows), ptr<const int64_t>(ids), n, cols));
}

void write_rows(const View& table, const View& rows, const View& ids) {
  if (rows.numel == 0) return;
  const size_t element = dtype_size(table.dtype), bytes = static_cast<size_t>(rows.size[1]) * element,
               step = static_cast<size_t>(rows.stride[0]) * element;
  char* to = ptr<char>(table);
  const char* from = ptr<const char>(rows);
  const int64_t* id = ptr<const int64_t>(ids);
#pragma omp parallel for schedule(static) if (rows.numel > kParallelGrain)
  for (int64_t i = 0; i < ids.numel; ++i) memcpy(to + id[i] * bytes, from + i * step, bytes);
}

}  // namespace

void fill_rows(KernelTable& table) {
  table.gather_rows = gather_rows;
  table.scatter_add_rows = scatter_add_rows;
  table.write_rows = write_rows;
}

SESAME_KERNELS_END
