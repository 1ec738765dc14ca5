// Fill, copy (any strides, any pair of element types) and in-place accumulation. With s bytes an element they
// move: fill s, copy 2 s, a cast between float32 and bfloat16 6, accumulate 3 s.
#include "autograd/backend/cuda/kernels/map.cuh"
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

__global__ void fill_kernel(void* out, DType dtype, const __grid_constant__ Strided<1> at, double value) {
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    std::int64_t offset[1];
    at.locate(i, offset);
    store(out, dtype, offset[0], {value, 0, false});
  }
}

__global__ void convert_kernel(void* out, DType to, const void* x, DType from,
                               const __grid_constant__ Strided<2> at) {
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    std::int64_t offset[2];
    at.locate(i, offset);
    store(out, to, offset[0], load(x, from, offset[1]));
  }
}

// Equal types: only the size of an element matters. N neighbours along the innermost axis at a time.
template <int N, class Index, class T>
__global__ void copy_kernel(T* out, const T* x, const __grid_constant__ Strided<2, Index> at) {
  for (std::int64_t i = loop_begin(); i < at.numel; i += loop_step()) {
    Index offset[2];
    at.locate(static_cast<Index>(i), offset);
    store_pack(out + offset[0], load_pack<N>(x + offset[1]));
  }
}

// The conversions of mixed precision.
struct Same {
  template <int N>
  __device__ Floats<N> operator()(const Floats<N>& x) const {
    return x;
  }
};

struct Accumulate {
  float alpha;
  template <int N>
  __device__ Floats<N> operator()(Floats<N> sum, const Floats<N>& x) const {
    for (int i = 0; i < N; ++i) sum[i] += alpha * x[i];
    return sum;
  }
};

struct Constant {
  float value;
  template <int N>
  __device__ Floats<N> operator()() const {
    return splat<N>(value);
  }
};

__global__ void accumulate_whole_kernel(std::int64_t* out, const std::int64_t* x, std::int64_t n,
                                        std::int64_t alpha) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) out[i] += alpha * x[i];
}

void fill(const View& out, double value) {
  if (out.numel == 0) return;
  const Strided<1> at = join_axes<1>({&out});
  if (value == 0 && is_dense(at)) {
    const std::size_t bytes = static_cast<std::size_t>(out.numel) * dtype_size(out.dtype);
    return check(cudaMemsetAsync(out.data, 0, bytes, stream()), "fill");
  }
  const Constant constant{static_cast<float>(value)};
  if (is_dense(at) && out.dtype == DType::Float32) return map("fill", out.numel, constant, ptr<float>(out));
  if (is_dense(at) && out.dtype == DType::BFloat16)
    return map("fill", out.numel, constant, ptr<BFloat16>(out));
  launch("fill", fill_kernel, loop_blocks(out.numel), kBlock, out.data, out.dtype, at, value);
}

template <class T>
void copy_equal(const View& out, const View& x, const Strided<2>& at) {
  const auto run = [&]<int N, class Index>(const Strided<2, Index>& walk) {
    launch("copy", copy_kernel<N, Index, T>, loop_blocks(walk.numel), kBlock, ptr<T>(out), ptr<const T>(x),
           walk);
  };
  constexpr int width = pack_width<T>();
  if (!fits_32_bits(at)) return run.template operator()<1, std::int64_t>(at);
  // A broadcast innermost axis has no packs to read.
  if (at.dim > 0 && at.stride[1][at.dim - 1] == 1 && in_packs<width, T>(at, {out.data, x.data}))
    return run.template operator()<width, unsigned>(narrow(packed<width>(at)));
  run.template operator()<1, unsigned>(narrow(at));
}

void copy(const View& out, const View& x) {
  if (out.numel == 0) return;
  const Strided<2> at = join_axes<2>({&out, &x});
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
  if (dense && out.dtype == DType::BFloat16 && x.dtype == DType::Float32)
    return map("copy", out.numel, Same{}, ptr<BFloat16>(out), ptr<const float>(x));
  if (dense && out.dtype == DType::Float32 && x.dtype == DType::BFloat16)
    return map("copy", out.numel, Same{}, ptr<float>(out), ptr<const BFloat16>(x));
  launch("copy", convert_kernel, loop_blocks(out.numel), kBlock, out.data, out.dtype, x.data, x.dtype, at);
}

void accumulate(const View& out, const View& x, double alpha) {
  if (out.dtype == DType::Int64) {
    return launch("accumulate", accumulate_whole_kernel, loop_blocks(out.numel), kBlock,
                  ptr<std::int64_t>(out), ptr<const std::int64_t>(x), out.numel,
                  static_cast<std::int64_t>(alpha));
  }
  SESAME_CUDA_TYPES("accumulate", out.dtype,
                    map("accumulate", out.numel, Accumulate{static_cast<float>(alpha)}, ptr<T>(out),
                        ptr<const T>(out), ptr<const T>(x)));
}

}  // namespace

void fill_memory(KernelTable& table) {
  table.fill = fill;
  table.copy = copy;
  table.accumulate = accumulate;
}

}  // namespace sesame::cuda
