// Fill, copy (any strides, any pair of element types) and in-place accumulation.
#include "autograd/backend/cuda/kernels/strided.cuh"

namespace sesame::cuda {
namespace {

// A number on its way from one element type to another: integers stay exact.
struct Number {
  double real;
  std::int64_t whole;
  bool is_whole;
};

__device__ Number load(const void* data, DType dtype, std::int64_t i) {
  switch (dtype) {
    case DType::Float32:
      return {static_cast<const float*>(data)[i], 0, false};
    case DType::Float64:
      return {static_cast<const double*>(data)[i], 0, false};
    case DType::BFloat16:
      return {__bfloat162float(static_cast<const BFloat16*>(data)[i]), 0, false};
    case DType::Int32:
      return {0, static_cast<const std::int32_t*>(data)[i], true};
    case DType::Int64:
      return {0, static_cast<const std::int64_t*>(data)[i], true};
    case DType::UInt8:
      return {0, static_cast<const std::uint8_t*>(data)[i], true};
  }
  return {0, 0, true};
}

__device__ void store(void* data, DType dtype, std::int64_t i, Number x) {
  const double real = x.is_whole ? static_cast<double>(x.whole) : x.real;
  const std::int64_t whole = x.is_whole ? x.whole : static_cast<std::int64_t>(x.real);
  switch (dtype) {
    case DType::Float32:
      static_cast<float*>(data)[i] = x.is_whole ? static_cast<float>(x.whole) : static_cast<float>(real);
      break;
    case DType::Float64:
      static_cast<double*>(data)[i] = real;
      break;
    case DType::BFloat16:
      static_cast<BFloat16*>(data)[i] = __float2bfloat16_rn(static_cast<float>(real));
      break;
    case DType::Int32:
      static_cast<std::int32_t*>(data)[i] = static_cast<std::int32_t>(whole);
      break;
    case DType::Int64:
      static_cast<std::int64_t*>(data)[i] = whole;
      break;
    case DType::UInt8:
      static_cast<std::uint8_t*>(data)[i] = static_cast<std::uint8_t>(whole);
      break;
  }
}

__global__ void fill_kernel(void* out, DType dtype, Strided<1> at, double value) {
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    std::int64_t offset[1];
    at.locate(i, offset);
    store(out, dtype, offset[0], {value, 0, false});
  }
}

__global__ void convert_kernel(void* out, DType to, const void* x, DType from, Strided<2> at) {
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    std::int64_t offset[2];
    at.locate(i, offset);
    store(out, to, offset[0], load(x, from, offset[1]));
  }
}

// Equal types: only the size of an element matters.
template <class T>
__global__ void copy_kernel(T* out, const T* x, Strided<2> at) {
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    std::int64_t offset[2];
    at.locate(i, offset);
    out[offset[0]] = x[offset[1]];
  }
}

// The conversions of mixed precision, contiguous.
template <class To, class From>
__global__ void cast_kernel(To* out, const From* x, std::int64_t n) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) out[i] = from_float<To>(to_float(x[i]));
}

template <class T>
__global__ void accumulate_kernel(T* out, const T* x, std::int64_t n, float alpha) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    out[i] = from_float<T>(to_float(out[i]) + alpha * to_float(x[i]));
  }
}

__global__ void accumulate_whole_kernel(std::int64_t* out, const std::int64_t* x, std::int64_t n,
                                        std::int64_t alpha) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) out[i] += alpha * x[i];
}

template <int N>
bool is_dense(const Strided<N>& at) {
  bool dense = at.dim <= 1;
  for (int n = 0; n < N && dense && at.dim == 1; ++n) dense = at.stride[n][0] == 1;
  return dense;
}

void fill(const View& out, double value) {
  if (out.numel == 0) return;
  const Strided<1> at = join_axes<1>({&out});
  if (value == 0 && is_dense(at)) {
    const std::size_t bytes = static_cast<std::size_t>(out.numel) * dtype_size(out.dtype);
    return check(cudaMemsetAsync(out.data, 0, bytes, stream()), "fill");
  }
  launch("fill", fill_kernel, loop_blocks(out.numel), kBlock, out.data, out.dtype, at, value);
}

template <class T>
void copy_equal(const View& out, const View& x, const Strided<2>& at) {
  launch("copy", copy_kernel<T>, loop_blocks(out.numel), kBlock, ptr<T>(out), ptr<const T>(x), at);
}

void copy(const View& out, const View& x) {
  if (out.numel == 0) return;
  const Strided<2> at = join_axes<2>({&out, &x});
  const unsigned blocks = loop_blocks(out.numel);
  const bool dense = is_dense(at);
  if (out.dtype == x.dtype) {
    const std::size_t size = dtype_size(out.dtype);
    if (dense) {
      return check(cudaMemcpyAsync(out.data, x.data, static_cast<std::size_t>(out.numel) * size,
                                   cudaMemcpyDeviceToDevice, stream()),
                   "copy");
    }
    if (size == 1) return copy_equal<std::uint8_t>(out, x, at);
    if (size == 2) return copy_equal<std::uint16_t>(out, x, at);
    if (size == 4) return copy_equal<std::uint32_t>(out, x, at);
    return copy_equal<std::uint64_t>(out, x, at);
  }
  if (dense && out.dtype == DType::BFloat16 && x.dtype == DType::Float32) {
    return launch("copy", cast_kernel<BFloat16, float>, blocks, kBlock, ptr<BFloat16>(out),
                  ptr<const float>(x), out.numel);
  }
  if (dense && out.dtype == DType::Float32 && x.dtype == DType::BFloat16) {
    return launch("copy", cast_kernel<float, BFloat16>, blocks, kBlock, ptr<float>(out),
                  ptr<const BFloat16>(x), out.numel);
  }
  launch("copy", convert_kernel, blocks, kBlock, out.data, out.dtype, x.data, x.dtype, at);
}

void accumulate(const View& out, const View& x, double alpha) {
  const unsigned blocks = loop_blocks(out.numel);
  if (out.dtype == DType::Int64) {
    return launch("accumulate", accumulate_whole_kernel, blocks, kBlock, ptr<std::int64_t>(out),
                  ptr<const std::int64_t>(x), out.numel, static_cast<std::int64_t>(alpha));
  }
  SESAME_CUDA_TYPES("accumulate", out.dtype,
                    launch("accumulate", accumulate_kernel<T>, blocks, kBlock, ptr<T>(out), ptr<const T>(x),
                           out.numel, static_cast<float>(alpha)));
}

}  // namespace

void fill_memory(KernelTable& table) {
  table.fill = fill;
  table.copy = copy;
  table.accumulate = accumulate;
}

}  // namespace sesame::cuda
