// Gradients of LayerNorm with dropout and the residual connection. A warp takes a row, as in norm.cu. Where
// rows lie in registers, dy and the sum are read once for all gradients: each warp also adds up the terms of
// d_gamma and d_beta of its rows, and a second kernel adds the sums of the blocks in order. With s bytes an
// element: 4 s with separate dx and d_residual, 3 s with one of them, and 16 bytes for each block and column.
#include "autograd/backend/cuda/kernels/column_sums.cuh"
#include "autograd/backend/cuda/kernels/norm.cuh"

namespace sesame::cuda {
namespace {

template <class T, class P>
struct NormGradients {
  const T *dy, *sum;
  const P* gamma;
  const float *mean, *rstd;
  const std::int64_t* row_keys;
  T *dx, *d_residual;
};

constexpr int kThreads = 192, kWarps = kThreads / 32;  // 168 registers for each thread of two blocks
// Blocks of a multiprocessor by the numbers of a row that a lane holds, and of the grid at most: what fills
// an H100. The grid decides the order of sums, so it must not depend on the device.
template <int Held>
inline constexpr int kBlocksBeside = Held <= 16 ? 3 : 2;
template <int Held>
inline constexpr unsigned kMostBlocks = 132u * kBlocksBeside<Held>;

// The sums over a row that its d_sum needs, and its terms of d_gamma and d_beta added to this lane's.
template <class T, class P, int N, int V>
__device__ float2 row_means(const Pack<T, N> (&dy)[V], const Pack<T, N> (&x)[V], const P* gamma, float mean,
                            float rstd, int cols, Floats<N> (&d_gamma)[V], Floats<N> (&d_beta)[V]) {
  float g_sum = 0, gx_sum = 0;
#pragma unroll
  for (int v = 0; v < V; ++v) {
    if (pack_column<N>(v) >= cols) continue;
    const Floats<N> scale = load_floats<N>(gamma + pack_column<N>(v)), in = to_floats(x[v]),
                    upper = to_floats(dy[v]);
    for (int i = 0; i < N; ++i) {
      const float xhat = (in[i] - mean) * rstd, g = upper[i] * scale[i];
      g_sum += g;
      gx_sum += g * xhat;
      d_gamma[v][i] += upper[i] * xhat;
      d_beta[v][i] += upper[i];
    }
  }
  const auto count = static_cast<float>(cols);
  return {warp_sum(g_sum) / count, warp_sum(gx_sum) / count};
}

// d_sum = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma; it goes to d_residual, and through dropout to
// dx.
template <class T, class P, int N, int V>
__device__ void write_row(const NormGradients<T, P>& p, const DropoutSpec& spec, std::int64_t row, int cols,
                          const Pack<T, N> (&dy)[V], const Pack<T, N> (&x)[V], float mean, float rstd,
                          float2 means) {
  const std::int64_t key = spec.threshold == 0 ? 0 : row_key_of(p.row_keys, row);
#pragma unroll
  for (int v = 0; v < V; ++v) {
    const int column = pack_column<N>(v);
    if (column >= cols) continue;
    const Floats<N> scale = load_floats<N>(p.gamma + column), in = to_floats(x[v]), upper = to_floats(dy[v]);
    Floats<N> d;
    for (int i = 0; i < N; ++i) {
      d[i] = rstd * (upper[i] * scale[i] - means.x - (in[i] - mean) * rstd * means.y);
    }
    const Pack<T, N> rounded = from_floats<T>(d);
    if (p.d_residual != nullptr) store_pack(p.d_residual + row * cols + column, rounded);
    if (p.dx == nullptr) continue;
    d = to_floats(rounded);
    if (spec.threshold != 0) drop(spec, key, column, d);
    store_floats(p.dx + row * cols + column, d);
  }
}

// partial[j] = what the warps of the block hold for column j, in order.
template <int N, int V>
__device__ void store_partial(const Floats<N> (&mine)[V], float* partial, int cols) {
  alignas(kPackBytes) __shared__ float parts[kWarps][32 * N * V];
  __syncthreads();
#pragma unroll
  for (int v = 0; v < V; ++v) store_floats(&parts[threadIdx.x / 32][pack_column<N>(v)], mine[v]);
  __syncthreads();
  for (int j = static_cast<int>(threadIdx.x); j < cols; j += kThreads) {
    float sum = parts[0][j];
    for (int warp = 1; warp < kWarps; ++warp) sum += parts[warp][j];
    partial[j] = sum;
  }
}

// partial [blocks, 2, cols] (null: not wanted). dx and d_residual may both be null.
template <class T, class P, int N, int V>
__global__ void __launch_bounds__(kThreads, kBlocksBeside<N * V>)
    layer_norm_backward_kernel(NormGradients<T, P> p, DropoutSpec spec, float* partial, std::int64_t rows,
                               int cols) {
  Floats<N> d_gamma[V] = {}, d_beta[V] = {};
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kWarps;
  for (std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32; row < rows;
       row += step) {
    Pack<T, N> dy[V], x[V];
    load_row(p.dy + row * cols, cols, dy);
    load_row(p.sum + row * cols, cols, x);
    const float mean = p.mean[row], rstd = p.rstd[row];
    const float2 means = row_means(dy, x, p.gamma, mean, rstd, cols, d_gamma, d_beta);
    write_row(p, spec, row, cols, dy, x, mean, rstd, means);
  }
  if (partial == nullptr) return;
  float* const mine = partial + static_cast<std::int64_t>(blockIdx.x) * 2 * cols;
  store_partial(d_gamma, mine, cols);
  store_partial(d_beta, mine + cols, cols);
}

// --- rows of any width ---------------------------------------------------------------------------

template <class T, class P>
__global__ void wide_layer_norm_backward_kernel(NormGradients<T, P> p, DropoutSpec spec, std::int64_t rows,
                                                std::int64_t cols) {
  const std::int64_t row = warp_row();
  if (row >= rows) return;  // whole warps
  const T *dy = p.dy + row * cols, *x = p.sum + row * cols;
  const float mean = p.mean[row], rstd = p.rstd[row];
  float g_sum = 0, gx_sum = 0;
  each_column(cols, [&](std::int64_t j) {
    const float g = to_float(dy[j]) * to_float(p.gamma[j]);
    g_sum += g;
    gx_sum += g * (to_float(x[j]) - mean) * rstd;
  });
  const float mean_g = warp_sum(g_sum) / static_cast<float>(cols);
  const float mean_gx = warp_sum(gx_sum) / static_cast<float>(cols);
  T* d_sum = (p.d_residual != nullptr ? p.d_residual : p.dx) + row * cols;
  each_column(cols, [&](std::int64_t j) {
    const float g = to_float(dy[j]) * to_float(p.gamma[j]), xhat = (to_float(x[j]) - mean) * rstd;
    d_sum[j] = from_float<T>(rstd * (g - mean_g - xhat * mean_gx));
  });
  if (p.dx == nullptr) return;
  if (spec.threshold != 0 || p.d_residual != nullptr) {
    const std::int64_t key = spec.threshold == 0 ? 0 : row_key_of(p.row_keys, row);
    dropped_row<T>(spec, key, d_sum, nullptr, p.dx + row * cols, cols);
  }
}

// Terms of d_gamma and d_beta.
template <class T>
struct ParameterTerms {
  static constexpr int kCount = 2;
  const T *dy, *sum;
  const float *mean, *rstd;
  std::int64_t cols;
  __device__ void values(std::int64_t row, std::int64_t column, float (&out)[2]) const {
    const float g = to_float(dy[row * cols + column]);
    out[0] = g * (to_float(sum[row * cols + column]) - mean[row]) * rstd[row];
    out[1] = g;
  }
};

template <class T, class P>
void wide_backward(const LayerNormBackwardArgs& a, const NormGradients<T, P>& p, const DropoutSpec& spec,
                   P* const (&sums)[2]) {
  if (p.dx != nullptr || p.d_residual != nullptr) {
    launch("layer_norm", wide_layer_norm_backward_kernel<T, P>, blocks_for(a.rows, kRowsPerBlock), kBlock, p,
           spec, a.rows, a.cols);
  }
  if (sums[0] == nullptr && sums[1] == nullptr) return;
  column_sums("layer_norm", ParameterTerms<T>{p.dy, p.sum, p.mean, p.rstd, a.cols}, a.rows, a.cols, sums);
}

template <class T, class P>
void backward(const LayerNormBackwardArgs& a) {
  const NormGradients<T, P> p = {static_cast<const T*>(a.dy),
                                 static_cast<const T*>(a.sum),
                                 static_cast<const P*>(a.gamma),
                                 static_cast<const float*>(a.mean),
                                 static_cast<const float*>(a.rstd),
                                 a.row_keys,
                                 static_cast<T*>(a.dx),
                                 static_cast<T*>(a.d_residual)};
  P* const sums[2] = {static_cast<P*>(a.d_gamma), static_cast<P*>(a.d_beta)};
  const DropoutSpec spec = on_device(a.dropout);
  constexpr int n = pack_width<T>();
  const bool packed = a.rows > 0 && takes_packs<n>(p.dy) && takes_packs<n>(p.sum) &&
                      takes_packs<n>(p.gamma) && takes_packs<n>(p.dx) && takes_packs<n>(p.d_residual);
  const auto run = [&]<int N, int V>() {
    const unsigned wanted = blocks_for(a.rows, kWarps), most = kMostBlocks<N * V>;
    const unsigned blocks = wanted < most ? wanted : most;
    float* partial = nullptr;
    if (sums[0] != nullptr || sums[1] != nullptr)
      partial = static_cast<float*>(scratch(sizeof(float) * 2 * blocks * static_cast<std::size_t>(a.cols)));
    launch("layer_norm", layer_norm_backward_kernel<T, P, N, V>, blocks, kThreads, p, spec, partial, a.rows,
           static_cast<int>(a.cols));
    if (partial != nullptr)
      column_finish("layer_norm", ColumnOutputs<P, 2>{{sums[0], sums[1]}}, partial, blocks, a.cols);
  };
  if (!packed || !with_row_registers<T>(a.cols, run)) wide_backward(a, p, spec, sums);
}

}  // namespace

void layer_norm_backward(const LayerNormBackwardArgs& args) {
  if (args.cols == 0) return;
  SESAME_CUDA_NORM_TYPES("layer_norm", args.dtype, args.parameter_dtype, backward<T, P>(args));
}

}  // namespace sesame::cuda
