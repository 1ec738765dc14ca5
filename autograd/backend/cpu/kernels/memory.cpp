// Fill, copy (any strides, any pair of element types) and in-place accumulation.
#include "autograd/backend/cpu/kernels/bfloat16.h"
#include "autograd/backend/cpu/kernels/strided.h"

SESAME_KERNELS_BEGIN
namespace {

// Calls body<T>() with the C++ type of a dtype.
#define SESAME_ANY_TYPE(dtype, T, ...) \
  switch (dtype) {                     \
    case DType::Float32: {             \
      using T = float;                 \
      __VA_ARGS__;                     \
      break;                           \
    }                                  \
    case DType::Float64: {             \
      using T = double;                \
      __VA_ARGS__;                     \
      break;                           \
    }                                  \
    case DType::BFloat16: {            \
      using T = BFloat16;              \
      __VA_ARGS__;                     \
      break;                           \
    }                                  \
    case DType::Int32: {               \
      using T = int32_t;               \
      __VA_ARGS__;                     \
      break;                           \
    }                                  \
    case DType::Int64: {               \
      using T = int64_t;               \
      __VA_ARGS__;                     \
      break;                           \
    }                                  \
    case DType::UInt8: {               \
      using T = uint8_t;               \
      __VA_ARGS__;                     \
      break;                           \
    }                                  \
  }

// --- fill ----------------------------------------------------------------------------------------

template <class T>
void fill_row(T* out, int64_t n, int64_t step, T value) {
  const T zero = Convert<T, int32_t>::value(0);
  if (step == 1 && memcmp(&value, &zero, sizeof value) == 0) {
    memset(static_cast<void*>(out), 0,
           static_cast<size_t>(n) * sizeof(T));  // streams past the cache when it is long
  } else if (step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = value;
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * step] = value;
  }
}

template <class T>
void fill_typed(const View& out, double value) {
  const StridedLoop<1> loop = join_axes<1>({&out});
  const T typed = Convert<T, double>::value(value);
  T* data = ptr<T>(out);
  if (loop.dim == 1) {
#pragma omp parallel if (out.numel > kParallelGrain)
    {
      const Range part = thread_share(loop.size[0], 64);
      fill_row(data + part.begin * loop.step(0), part.end - part.begin, loop.step(0), typed);
    }
    return;
  }
#pragma omp parallel for schedule(static) if (out.numel > kParallelGrain)
  for (int64_t row = 0; row < loop.rows; ++row) {
    int64_t offset[1];
    loop.locate(row, offset);
    fill_row(data + offset[0], loop.cols(), loop.step(0), typed);
  }
}

void fill(const View& out, double value) {
  if (out.numel == 0) return;
  SESAME_ANY_TYPE(out.dtype, T, fill_typed<T>(out, value));
}

// --- copy ----------------------------------------------------------------------------------------

template <class To, class From>
void copy_row(To* out, const From* x, int64_t n, int64_t out_step, int64_t x_step) {
  if (out_step == 1 && x_step == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = Convert<To, From>::value(x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) out[i * out_step] = Convert<To, From>::value(x[i * x_step]);
  }
}

template <class To, class From>
void copy_typed(const View& out, const View& x) {
  const StridedLoop<2> loop = join_axes<2>({&out, &x});
  To* to = ptr<To>(out);
  const From* from = ptr<const From>(x);
  if (loop.dim == 1) {
#pragma omp parallel if (out.numel > kParallelGrain)
    {
      const Range part = thread_share(loop.size[0], 64);
      copy_row(to + part.begin * loop.step(0), from + part.begin * loop.step(1), part.end - part.begin,
               loop.step(0), loop.step(1));
    }
    return;
  }
#pragma omp parallel for schedule(static) if (out.numel > kParallelGrain)
  for (int64_t row = 0; row < loop.rows; ++row) {
    int64_t offset[2];
    loop.locate(row, offset);
    copy_row(to + offset[0], from + offset[1], loop.cols(), loop.step(0), loop.step(1));
  }
}

// The last two axes in square tiles: a transposed source is read a cache line at a time.
template <class T>
void copy_tiles(const StridedLoop<2>& loop, T* out, const T* x) {
  constexpr int64_t tile = 32;
  const int last = loop.dim - 1;
  const int64_t height = loop.size[last - 1], width = loop.size[last];
  const int64_t blocks = (height + tile - 1) / tile, planes = loop.rows / height;
#pragma omp parallel for schedule(static) if (loop.rows * width > kParallelGrain)
  for (int64_t item = 0; item < planes * blocks; ++item) {
    const int64_t first = item % blocks * tile, height_here = first + tile < height ? tile : height - first;
    int64_t offset[2];
    loop.locate(item / blocks * height + first, offset);
    T* to = out + offset[0];
    const T* from = x + offset[1];
    for (int64_t j0 = 0; j0 < width; j0 += tile) {
      const int64_t j1 = j0 + tile < width ? j0 + tile : width;
      for (int64_t i = 0; i < height_here; ++i) {
        T* to_row = to + i * loop.stride[0][last - 1];
        const T* from_row = from + i * loop.stride[1][last - 1];
        for (int64_t j = j0; j < j1; ++j)
          to_row[j * loop.stride[0][last]] = from_row[j * loop.stride[1][last]];
      }
    }
  }
}

// Equal types: only the size of an element matters.
template <class T>
void copy_equal(const View& out, const View& x) {
  const StridedLoop<2> loop = join_axes<2>({&out, &x});
  T* to = ptr<T>(out);
  const T* from = ptr<const T>(x);
  const bool unit = loop.step(0) == 1 && loop.step(1) == 1;
  if (!unit && loop.dim > 1) return copy_tiles(loop, to, from);
  if (!unit) return copy_row(to, from, loop.size[0], loop.step(0), loop.step(1));
#pragma omp parallel if (out.numel > kParallelGrain)
  {
    if (loop.dim == 1) {
      const Range part = thread_share(loop.size[0], 64);
      memcpy(to + part.begin, from + part.begin, static_cast<size_t>(part.end - part.begin) * sizeof(T));
    } else {
      const Range part = thread_share(loop.rows);
      for (int64_t row = part.begin; row < part.end; ++row) {
        int64_t offset[2];
        loop.locate(row, offset);
        memcpy(to + offset[0], from + offset[1], static_cast<size_t>(loop.cols()) * sizeof(T));
      }
    }
  }
}

void copy(const View& out, const View& x) {
  if (out.numel == 0) return;
  if (out.dtype == x.dtype) {
    switch (dtype_size(out.dtype)) {
      case 1:
        return copy_equal<uint8_t>(out, x);
      case 2:
        return copy_equal<uint16_t>(out, x);
      case 4:
        return copy_equal<uint32_t>(out, x);
      default:
        return copy_equal<uint64_t>(out, x);
    }
  }
  SESAME_ANY_TYPE(out.dtype, To, SESAME_ANY_TYPE(x.dtype, From, copy_typed<To, From>(out, x)));
}

// --- accumulate ----------------------------------------------------------------------------------

template <class T>
void accumulate_typed(T* out, const T* x, int64_t n, T alpha) {
#pragma omp parallel if (n > kParallelGrain)
  {
    const Range part = thread_share(n, 64);
    if (alpha == T(1)) {
#pragma omp simd
      for (int64_t i = part.begin; i < part.end; ++i) out[i] += x[i];
    } else {
#pragma omp simd
      for (int64_t i = part.begin; i < part.end; ++i) out[i] += alpha * x[i];
    }
  }
}

void accumulate(const View& out, const View& x, double alpha) {
  if (out.dtype == DType::Int64) {
    return accumulate_typed(ptr<int64_t>(out), ptr<const int64_t>(x), out.numel, static_cast<int64_t>(alpha));
  }
  SESAME_FLOAT_TYPES("accumulate", out.dtype,
                     accumulate_typed(ptr<T>(out), ptr<const T>(x), out.numel, static_cast<T>(alpha)));
}

}  // namespace

void fill_memory(KernelTable& table) {
  table.fill = fill;
  table.copy = copy;
  table.accumulate = accumulate;
}

SESAME_KERNELS_END
