// Sum and maximum over the middle axis of [outer, n, inner], the k largest of rows, and the sum of squares.
// Sums are taken in short blocks of the element type and added up in double; the blocks do not depend on the
// number of threads, so neither does the result.
#include "autograd/backend/cpu/kernels/columns.h"

SESAME_KERNELS_BEGIN
namespace {

constexpr int64_t kBlock = 1024;  // elements of one partial sum along a row
constexpr int kLanes = 32;

int64_t blocks_of(int64_t n) { return (n + kBlock - 1) / kBlock; }

// --- sums ----------------------------------------------------------------------------------------

template <class T>
double block_sum(const T* x, int64_t n) {
  T lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += x[i + lane];
  }
  double total = 0;
  for (; i < n; ++i) total += static_cast<double>(x[i]);
  for (int lane = 0; lane < kLanes; ++lane) total += static_cast<double>(lanes[lane]);
  return total;
}

// Sum of block(x + begin, length) over one long row, in the order of the blocks.
template <class T>
double long_sum(double (*block)(const T*, int64_t), const T* x, int64_t n) {
  const int64_t blocks = blocks_of(n);
  double* partial = static_cast<double*>(scratch(0, static_cast<size_t>(blocks) * sizeof(double)));
#pragma omp parallel for schedule(static) if (n > kParallelGrain)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * kBlock, length = begin + kBlock < n ? kBlock : n - begin;
    partial[b] = block(x + begin, length);
  }
  double total = 0;
  for (int64_t b = 0; b < blocks; ++b) total += partial[b];
  return total;
}

template <class T>
void sum_rows(T* out, const T* x, int64_t outer, int64_t n) {
  if (outer == 1) {
    out[0] = static_cast<T>(long_sum<T>(block_sum<T>, x, n));
    return;
  }
#pragma omp parallel for schedule(static) if (outer * n > kParallelGrain)
  for (int64_t row = 0; row < outer; ++row) {
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += kBlock) {
      total += block_sum(x + row * n + begin, begin + kBlock < n ? kBlock : n - begin);
    }
    out[row] = static_cast<T>(total);
  }
}

template <class T>
void sum_columns(T* out, const T* x, int64_t outer, int64_t n, int64_t inner) {
  const int64_t tiles = (inner + kTile - 1) / kTile;
#pragma omp parallel for schedule(static) if (outer * n * inner > kParallelGrain)
  for (int64_t item = 0; item < outer * tiles; ++item) {
    const int64_t o = item / tiles, j = item % tiles * kTile;
    sum_tile(out + o * inner + j, x + o * n * inner + j, n, inner, j + kTile < inner ? kTile : inner - j, 1);
  }
}

// --- maximum -------------------------------------------------------------------------------------

// The first maximum of a row; a NaN counts as larger than everything.
template <class T>
int64_t max_position(const T* x, int64_t n) {
  T best = x[0];
  T nans = 0;
#pragma omp simd reduction(max : best) reduction(+ : nans)
  for (int64_t i = 0; i < n; ++i) {
    best = x[i] > best ? x[i] : best;
    nans += x[i] != x[i] ? T(1) : T(0);
  }
  for (int64_t i = 0; i < n; ++i) {
    if (nans > T(0) ? x[i] != x[i] : x[i] == best) return i;
  }
  return 0;
}

template <class T>
void max_rows(T* out, int64_t* index, const T* x, int64_t outer, int64_t n) {
#pragma omp parallel for schedule(static) if (outer * n > kParallelGrain)
  for (int64_t row = 0; row < outer; ++row) {
    const int64_t at = max_position(x + row * n, n);
    out[row] = x[row * n + at];
    if (index != nullptr) index[row] = at;
  }
}

template <class T>
void max_columns(T* out, int64_t* index, const T* x, int64_t outer, int64_t n, int64_t inner) {
  const int64_t tiles = (inner + kTile - 1) / kTile;
#pragma omp parallel for schedule(static) if (outer * n * inner > kParallelGrain)
  for (int64_t item = 0; item < outer * tiles; ++item) {
    const int64_t o = item / tiles, j0 = item % tiles * kTile,
                  width = j0 + kTile < inner ? kTile : inner - j0;
    T best[kTile];
    int64_t at[kTile];
    max_tile(best, at, x + o * n * inner + j0, n, inner, width);
    for (int64_t j = 0; j < width; ++j) {
      out[o * inner + j0 + j] = best[j];
      if (index != nullptr) index[o * inner + j0 + j] = at[j];
    }
  }
}

template <class T>
void reduce_typed(ReduceOp op, const View& out, const View& index, const View& x, int64_t outer, int64_t n,
                  int64_t inner) {
  T* y = ptr<T>(out);
  const T* values = ptr<const T>(x);
  if (op == ReduceOp::Sum) {
    return inner == 1 ? sum_rows(y, values, outer, n) : sum_columns(y, values, outer, n, inner);
  }
  int64_t* at = ptr<int64_t>(index);
  return inner == 1 ? max_rows(y, at, values, outer, n) : max_columns(y, at, values, outer, n, inner);
}

void reduce(ReduceOp op, const View& out, const View& index, const View& x, int64_t outer, int64_t n,
            int64_t inner) {
  if (outer == 0 || inner == 0) return;
  SESAME_FLOAT_TYPES("reduce", x.dtype, reduce_typed<T>(op, out, index, x, outer, n, inner));
}

// --- the k largest -------------------------------------------------------------------------------

// Puts x into the sorted values[0 .. count), behind equal ones, and drops what falls off the end at k.
template <class T>
int64_t insert(T* values, int64_t* index, int64_t count, int64_t k, T x, int64_t at) {
  int64_t i = count < k ? count : k - 1;
  for (; i > 0 && values[i - 1] < x; --i) {
    values[i] = values[i - 1];
    index[i] = index[i - 1];
  }
  values[i] = x;
  index[i] = at;
  return count < k ? count + 1 : k;
}

// Most blocks hold nothing larger than the k-th so far and are passed over after their maximum.
template <class T>
void top_row(T* values, int64_t* index, const T* x, int64_t n, int64_t k) {
  constexpr int64_t kRun = 64;
  const T low = -static_cast<T>(__builtin_inf());
  int64_t count = 0;
  for (int64_t begin = 0; begin < n; begin += kRun) {
    const int64_t end = begin + kRun < n ? begin + kRun : n;
    T best = low;
#pragma omp simd reduction(max : best)
    for (int64_t i = begin; i < end; ++i) best = x[i] > best ? x[i] : best;
    if (count == k && !(best > values[k - 1])) continue;
    for (int64_t i = begin; i < end; ++i) {
      const T value = x[i] == x[i] ? x[i] : low;
      if (count < k || value > values[k - 1]) count = insert(values, index, count, k, value, i);
    }
  }
}

template <class T>
void top_rows(T* values, int64_t* index, const T* x, int64_t rows, int64_t n, int64_t k) {
#pragma omp parallel for schedule(static) if (rows * n > kParallelGrain)
  for (int64_t row = 0; row < rows; ++row) top_row(values + row * k, index + row * k, x + row * n, n, k);
}

void top_k(const View& values, const View& index, const View& x, int64_t k) {
  SESAME_FLOAT_TYPES("top_k", x.dtype,
                     top_rows(ptr<T>(values), ptr<int64_t>(index), ptr<const T>(x), x.size[0], x.size[1], k));
}

}  // namespace

void fill_reduce(KernelTable& table) {
  table.reduce = reduce;
  table.top_k = top_k;
}

SESAME_KERNELS_END
