// Bias, activation and their gradients behind the product of a linear layer (linear.h).
//
// A block takes tiles of kRowLanes rows and kColumns * V columns: a thread reads V neighbours at once, 16
// bytes where pointers and rows are aligned to that, else one element, and keeps to its columns, so that bias
// and column sums stay in its registers.
#include <initializer_list>

#include "autograd/backend/cuda/kernels/common.cuh"
#include "autograd/backend/cuda/kernels/linear.h"
#include "autograd/backend/cuda/kernels/math.cuh"

namespace sesame::cuda {
namespace {

constexpr std::int64_t kSumRows = 64;       // of dpre that one block sums
constexpr std::int64_t kMostTiles = 65535;  // of a grid along y

template <class T, int V>
struct alignas(sizeof(T) * V) Neighbours {
  T values[V];
};

template <int V, class T>
__device__ void load(const T* from, float (&to)[V]) {
  const auto packed = *reinterpret_cast<const Neighbours<T, V>*>(from);
#pragma unroll
  for (int v = 0; v < V; ++v) to[v] = to_float(packed.values[v]);
}

template <int V, class T>
__device__ void store(T* to, const float (&from)[V]) {
  Neighbours<T, V> packed;
#pragma unroll
  for (int v = 0; v < V; ++v) packed.values[v] = from_float<T>(from[v]);
  *reinterpret_cast<Neighbours<T, V>*>(to) = packed;
}

// Column 0 of the V that a thread keeps to, and its row in a tile. An int: in 64 bits nvcc 13.0 no longer
// sees that the addresses of a store() are one behind the other, and splits it.
template <int V>
__device__ int first_column(unsigned tile) {
  return static_cast<int>(tile * kColumns + threadIdx.x % kColumns) * V;
}
__device__ int row_lane() { return static_cast<int>(threadIdx.x) / kColumns; }

// Rows of a matrix, which may be further apart than they are wide; no data: it is not there.
template <class T>
struct Rows {
  T* data;
  std::int64_t stride;
  __device__ T* at(std::int64_t row, std::int64_t column) const { return data + row * stride + column; }
};

template <class T>
Rows<T> rows(const View& view) {
  return {ptr<T>(view), view.data == nullptr ? 0 : view.stride[0]};
}

// The switch stands outside of the loop over neighbours.
template <int V>
__device__ void activate_all(Activation activation, float (&x)[V]) {
  const auto each = [&x](auto function) {
#pragma unroll
    for (int v = 0; v < V; ++v) x[v] = function(x[v]);
  };
  switch (activation) {
    case Activation::None:
      return;
    case Activation::Gelu:
      return each([](float a) { return gelu(a); });
    case Activation::GeluTanh:
      return each([](float a) { return gelu_tanh(a); });
    default:
      return each([activation](float a) { return activate(activation, a); });
  }
}

// What comes from above times the slope at x, in place.
template <int V>
__device__ void times_slope(Activation activation, float (&gradient)[V], const float (&x)[V]) {
  const auto each = [&](auto slope) {
#pragma unroll
    for (int v = 0; v < V; ++v) gradient[v] *= slope(x[v]);
  };
  switch (activation) {
    case Activation::None:
      return;
    case Activation::Gelu:
      return each([](float a) { return gelu_grad(a); });
    case Activation::GeluTanh:
      return each([](float a) { return gelu_tanh_grad(a); });
    default:
      return each([activation](float a) { return activation_grad(activation, a); });
  }
}

// x, y and pre may be one matrix.
template <class T, int V>
__global__ void bias_activation_kernel(Activation activation, Rows<T> y, Rows<T> x, const T* bias,
                                       Rows<T> pre, std::int64_t count, std::int64_t cols) {
  const int column = first_column<V>(blockIdx.x);
  if (column >= cols) return;
  float shift[V] = {};
  if (bias != nullptr) load<V>(bias + column, shift);
  for (std::int64_t row = static_cast<std::int64_t>(blockIdx.y) * kRowLanes + row_lane(); row < count;
       row += static_cast<std::int64_t>(gridDim.y) * kRowLanes) {
    float values[V];
    load<V>(x.at(row, column), values);
#pragma unroll
    for (int v = 0; v < V; ++v) values[v] = to_float(from_float<T>(values[v] + shift[v]));
    if (pre.data != nullptr) store<V>(pre.at(row, column), values);
    activate_all<V>(activation, values);
    store<V>(y.at(row, column), values);
  }
}

// Rows [blockIdx.x * kSumRows, ..): dpre (null: not wanted) and its sums, partial[blockIdx.x * cols + column]
// (null: not wanted).
template <class T, int V>
__global__ void activation_backward_kernel(Activation activation, Rows<T> dpre, Rows<const T> dy,
                                           Rows<const T> pre, float* partial, std::int64_t count,
                                           std::int64_t cols) {
  __shared__ float parts[kRowLanes][V][kColumns];
  const int column = first_column<V>(blockIdx.y);
  const std::int64_t begin = blockIdx.x * kSumRows;
  const std::int64_t end = begin + kSumRows < count ? begin + kSumRows : count;
  float sums[V] = {};
  for (std::int64_t row = begin + row_lane(); row < end && column < cols; row += kRowLanes) {
    float gradient[V], x[V] = {};
    load<V>(dy.at(row, column), gradient);
    if (pre.data != nullptr) load<V>(pre.at(row, column), x);
    times_slope<V>(activation, gradient, x);
    if (dpre.data != nullptr) store<V>(dpre.at(row, column), gradient);
#pragma unroll
    for (int v = 0; v < V; ++v) sums[v] += gradient[v];
  }
  if (partial == nullptr) return;  // all threads of the grid alike
  const int lane = static_cast<int>(threadIdx.x) % kColumns;
#pragma unroll
  for (int v = 0; v < V; ++v) parts[row_lane()][v][lane] = sums[v];
  __syncthreads();
  const int v = row_lane();  // now one of the neighbours: V is at most kRowLanes
  if (v >= V || column + v >= cols) return;
  float sum = 0;
  for (int row = 0; row < kRowLanes; ++row) sum += parts[row][v][lane];
  partial[blockIdx.x * cols + column + v] = sum;
}

// out[column] = sum over the chunks, in the same order every time.
template <class T>
__global__ void finish_sums_kernel(T* out, const float* partial, std::int64_t chunks, std::int64_t cols) {
  const int column = first_column<1>(blockIdx.x);
  float sum = 0;
  for (std::int64_t chunk = row_lane(); chunk < chunks && column < cols; chunk += kRowLanes)
    sum += partial[chunk * cols + column];
  sum = column_combine(sum, Plus{});
  if (row_lane() == 0 && column < cols) out[column] = from_float<T>(sum);
}

// Whether all of these can be read and written 16 bytes at a time.
bool in_vectors(std::int64_t cols, std::initializer_list<const View*> views) {
  for (const View* view : views) {
    if (view->data == nullptr) continue;
    const auto neighbours = static_cast<std::int64_t>(16 / dtype_size(view->dtype));
    if (reinterpret_cast<std::uintptr_t>(view->data) % 16 != 0 || cols % neighbours != 0) return false;
    if (view->dim == 2 && view->size[0] > 1 && view->stride[0] % neighbours != 0) return false;
  }
  return true;
}

template <class T, int V>
void forward(Activation activation, const View& y, const View& x, const View& bias, const View& pre) {
  const unsigned tiles = blocks_for(y.size[1], kColumns * V);
  const std::int64_t heights = (y.size[0] + kRowLanes - 1) / kRowLanes;
  launch("linear", bias_activation_kernel<T, V>,
         dim3(tiles, static_cast<unsigned>(heights < kMostTiles ? heights : kMostTiles)), kBlock, activation,
         rows<T>(y), rows<T>(x), ptr<const T>(bias), rows<T>(pre), y.size[0], y.size[1]);
}

template <class T, int V>
void backward(Activation activation, const View& dpre, const View& dy, const View& pre, float* partial) {
  const dim3 grid(blocks_for(dy.size[0], kSumRows), blocks_for(dy.size[1], kColumns * V));
  const bool none = activation == Activation::None;
  const Rows<T> out = none && dpre.data == dy.data ? Rows<T>{} : rows<T>(dpre);
  launch("linear", activation_backward_kernel<T, V>, grid, kBlock, activation, out, rows<const T>(dy),
         none ? Rows<const T>{} : rows<const T>(pre), partial, dy.size[0], dy.size[1]);
}

}  // namespace

void bias_activation(Activation activation, const View& y, const View& x, const View& bias, const View& pre) {
  if (y.numel == 0) return;
  const bool vectors = in_vectors(y.size[1], {&y, &x, &bias, &pre});
  SESAME_CUDA_TYPES("linear", y.dtype, if (vectors) forward<T, 16 / sizeof(T)>(activation, y, x, bias, pre);
                    else forward<T, 1>(activation, y, x, bias, pre));
}

void bias_activation_backward(Activation activation, const View& dpre, const View& dbias, const View& dy,
                              const View& pre) {
  const std::int64_t chunks = blocks_for(dy.size[0], kSumRows), cols = dy.size[1];
  float* partial = nullptr;
  if (dbias.data != nullptr)
    partial = static_cast<float*>(scratch(static_cast<std::size_t>(chunks * cols + 1) * sizeof(float)));
  const bool vectors = in_vectors(cols, {&dpre, &dy, &pre});
  if (partial != nullptr || activation != Activation::None || dpre.data != dy.data) {
    SESAME_CUDA_TYPES("linear", dy.dtype,
                      if (vectors) backward<T, 16 / sizeof(T)>(activation, dpre, dy, pre, partial);
                      else backward<T, 1>(activation, dpre, dy, pre, partial));
  }
  if (partial == nullptr) return;
  SESAME_CUDA_TYPES("linear", dbias.dtype,
                    launch("linear", finish_sums_kernel<T>, blocks_for(cols, kColumns), kBlock, ptr<T>(dbias),
                           partial, chunks, cols));
}

}  // namespace sesame::cuda
