// LayerNorm fused with dropout and the residual connection, forward, and dropout alone. A warp takes a row.
// Rows of up to 1024 columns stay in its registers, so that memory is read once; wider or unaligned ones are
// read again from the cache. With s bytes an element: LayerNorm moves 4 s with a residual and the sum kept, 3
// s where the sum is not kept, 2 s without a residual; dropout 2 s.
#include "autograd/backend/cuda/kernels/norm.cuh"

namespace sesame::cuda {
namespace {

template <class T, class P>
struct NormPointers {
  const T *x, *residual;
  const P *gamma, *beta;
  const std::int64_t* row_keys;
  T *out, *sum;
  float *mean, *rstd;
};

constexpr int kWarps = 4;  // of a block whose rows lie in registers

// x[v] = residual + dropout(x), rounded to T as the backward pass will see it, and kept in p.sum.
template <class T, class P, int N, int V>
__device__ void summed_row(const NormPointers<T, P>& p, const DropoutSpec& spec, std::int64_t row, int cols,
                           Floats<N> (&x)[V]) {
  Pack<T, N> packs[V], residual[V];
  load_row(p.x + row * cols, cols, packs);
  if (p.residual != nullptr) load_row(p.residual + row * cols, cols, residual);
  const std::int64_t key = spec.threshold == 0 ? 0 : row_key_of(p.row_keys, row);
#pragma unroll
  for (int v = 0; v < V; ++v) {
    x[v] = to_floats(packs[v]);
    const int column = pack_column<N>(v);
    if (column >= cols) continue;
    if (spec.threshold != 0) drop(spec, key, column, x[v]);
    if (p.residual != nullptr) {
      const Floats<N> added = to_floats(residual[v]);
      for (int i = 0; i < N; ++i) x[v][i] += added[i];
    }
    const Pack<T, N> rounded = from_floats<T>(x[v]);
    x[v] = to_floats(rounded);
    if (p.sum != nullptr) store_pack(p.sum + row * cols + column, rounded);
  }
}

template <class T, class P, int N, int V>
__global__ void __launch_bounds__(32 * kWarps)
    layer_norm_kernel(NormPointers<T, P> p, DropoutSpec spec, std::int64_t rows, int cols, float eps) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32;
  if (row >= rows) return;  // whole warps: what follows joins the lanes of one warp only
  Floats<N> x[V];
  summed_row(p, spec, row, cols, x);
  float total = 0;
#pragma unroll
  for (int v = 0; v < V; ++v) {
    for (int i = 0; i < N; ++i) total += x[v][i];
  }
  const float mean = warp_sum(total) / static_cast<float>(cols);
  float squares = 0;
#pragma unroll
  for (int v = 0; v < V; ++v) {
    if (pack_column<N>(v) >= cols) continue;
    for (int i = 0; i < N; ++i) squares += (x[v][i] - mean) * (x[v][i] - mean);
  }
  const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(cols) + eps);
#pragma unroll
  for (int v = 0; v < V; ++v) {
    const int column = pack_column<N>(v);
    if (column >= cols) continue;
    const Floats<N> gamma = load_floats<N>(p.gamma + column), beta = load_floats<N>(p.beta + column);
    for (int i = 0; i < N; ++i) x[v][i] = (x[v][i] - mean) * rstd * gamma[i] + beta[i];
    store_floats(p.out + row * cols + column, x[v]);
  }
  if (threadIdx.x % 32 != 0) return;
  if (p.mean != nullptr) p.mean[row] = mean;
  if (p.rstd != nullptr) p.rstd[row] = rstd;
}

// Rows of any width.
template <class T, class P>
__global__ void wide_layer_norm_kernel(NormPointers<T, P> p, DropoutSpec spec, std::int64_t rows,
                                       std::int64_t cols, float eps) {
  const std::int64_t row = warp_row();
  if (row >= rows) return;
  const T* x = p.x + row * cols;
  T* out = p.out + row * cols;
  if (spec.threshold != 0 || p.residual != nullptr) {
    T* sum = p.sum == nullptr ? out : p.sum + row * cols;
    const std::int64_t key = spec.threshold == 0 ? 0 : row_key_of(p.row_keys, row);
    dropped_row(spec, key, x, p.residual == nullptr ? nullptr : p.residual + row * cols, sum, cols);
    x = sum;
  }
  float total = 0;
  each_column(cols, [&](std::int64_t j) { total += to_float(x[j]); });
  const float mean = warp_sum(total) / static_cast<float>(cols);
  float squares = 0;
  each_column(cols, [&](std::int64_t j) {
    const float d = to_float(x[j]) - mean;
    squares += d * d;
  });
  const float rstd = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(cols) + eps);
  each_column(cols, [&](std::int64_t j) {
    out[j] = from_float<T>((to_float(x[j]) - mean) * rstd * to_float(p.gamma[j]) + to_float(p.beta[j]));
  });
  if (threadIdx.x % 32 != 0) return;
  if (p.mean != nullptr) p.mean[row] = mean;
  if (p.rstd != nullptr) p.rstd[row] = rstd;
}

template <class T, class P>
void forward(const LayerNormArgs& a) {
  const NormPointers<T, P> p = {static_cast<const T*>(a.x),
                                static_cast<const T*>(a.residual),
                                static_cast<const P*>(a.gamma),
                                static_cast<const P*>(a.beta),
                                a.row_keys,
                                static_cast<T*>(a.out),
                                static_cast<T*>(a.sum),
                                static_cast<float*>(a.mean),
                                static_cast<float*>(a.rstd)};
  const DropoutSpec spec = on_device(a.dropout);
  const auto eps = static_cast<float>(a.eps);
  constexpr int n = pack_width<T>();
  const bool packed = takes_packs<n>(p.x) && takes_packs<n>(p.residual) && takes_packs<n>(p.gamma) &&
                      takes_packs<n>(p.beta) && takes_packs<n>(p.out) && takes_packs<n>(p.sum);
  const auto run = [&]<int N, int V>() {
    launch("layer_norm", layer_norm_kernel<T, P, N, V>, blocks_for(a.rows, kWarps), 32 * kWarps, p, spec,
           a.rows, static_cast<int>(a.cols), eps);
  };
  if (packed && with_row_registers<T>(a.cols, run)) return;
  launch("layer_norm", wide_layer_norm_kernel<T, P>, blocks_for(a.rows, kRowsPerBlock), kBlock, p, spec,
         a.rows, a.cols, eps);
}

void layer_norm(const LayerNormArgs& args) {
  if (args.cols == 0) return;
  SESAME_CUDA_NORM_TYPES("layer_norm", args.dtype, args.parameter_dtype, forward<T, P>(args));
}

// N neighbours at a time; N 1: rows of any width and alignment.
template <int N, class T>
__global__ void dropout_kernel(DropoutSpec spec, T* out, const T* x, const std::int64_t* row_keys,
                               std::int64_t rows, std::int64_t cols) {
  const std::int64_t row = warp_row();
  if (row >= rows) return;
  const std::int64_t key = row_key_of(row_keys, row), base = row * cols;
  if constexpr (N == 1) {
    dropped_row<T>(spec, key, x + base, nullptr, out + base, cols);
  } else {
    for (std::int64_t column = pack_column<N>(0); column < cols; column += 32 * N) {
      Floats<N> values = load_floats<N>(x + base + column);
      drop(spec, key, column, values);
      store_floats(out + base + column, values);
    }
  }
}

template <class T>
void dropout_typed(const DropoutSpec& spec, T* out, const T* x, const std::int64_t* row_keys,
                   std::int64_t rows, std::int64_t cols) {
  constexpr int n = pack_width<T>();
  const bool packed = spec.active() && cols % n == 0 && takes_packs<n>(out) && takes_packs<n>(x);
  launch("dropout", packed ? dropout_kernel<n, T> : dropout_kernel<1, T>, blocks_for(rows, kRowsPerBlock),
         kBlock, on_device(spec), out, x, row_keys, rows, cols);
}

void dropout(const View& out, const View& x, const View& row_keys, const DropoutSpec& spec) {
  SESAME_CUDA_TYPES("dropout", x.dtype,
                    dropout_typed(spec, ptr<T>(out), ptr<const T>(x), ptr<const std::int64_t>(row_keys),
                                  x.size[0], x.size[1]));
}

}  // namespace

void fill_norm(KernelTable& table) {
  table.layer_norm = layer_norm;
  table.layer_norm_backward = layer_norm_backward;
  table.dropout = dropout;
}

}  // namespace sesame::cuda
