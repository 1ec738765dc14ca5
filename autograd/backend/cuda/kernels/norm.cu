// LayerNorm fused with dropout and the residual connection, and dropout alone. A warp takes a row, a lane
// four neighbouring columns at a time, which are what one Philox block draws for. A lane reads again only
// what it wrote itself, so the passes over a row need no barrier.
#include "autograd/backend/cuda/kernels/column_sums.cuh"
#include "autograd/backend/cuda/kernels/philox.cuh"

namespace sesame::cuda {
namespace {

constexpr int kRowsPerBlock = kBlock / 32;

__device__ std::int64_t warp_row() {
  return static_cast<std::int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / 32;
}

// Calls body(column) for the columns of this lane.
template <class Body>
__device__ void each_column(std::int64_t cols, Body body) {
  for (std::int64_t first = threadIdx.x % 32 * 4; first < cols; first += 128) {
    for (std::int64_t j = first; j < first + 4 && j < cols; ++j) body(j);
  }
}

// out[j] = add[j] + x[j] * factor(j) for the columns of this lane; add may be null. out may be x.
template <class T>
__device__ void dropped_row(const DropoutSpec& spec, std::int64_t row_key, const T* x, const T* add, T* out,
                            std::int64_t cols) {
  for (std::int64_t first = threadIdx.x % 32 * 4; first < cols; first += 128) {
    Words words{};
    if (spec.threshold != 0) words = row_words(spec, row_key, first / 4);
    for (int i = 0; i < 4 && first + i < cols; ++i) {
      const float factor = spec.threshold == 0 ? 1.0f : dropout_factor(spec, words.w[i]);
      // A dropped element is 0 even where x is infinite.
      const float kept = factor == 0.0f ? 0.0f : to_float(x[first + i]) * factor;
      out[first + i] = from_float<T>(add == nullptr ? kept : to_float(add[first + i]) + kept);
    }
  }
}

template <class T>
struct NormPointers {
  const T *x, *residual, *gamma, *beta;
  const std::int64_t* row_keys;
  T *out, *sum;
  float *mean, *rstd;
};

template <class T>
__global__ void layer_norm_kernel(NormPointers<T> p, DropoutSpec spec, std::int64_t rows, std::int64_t cols,
                                  float eps) {
  const std::int64_t row = warp_row();
  if (row >= rows) return;  // whole warps: what follows joins the lanes of one warp only
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

template <class T>
struct NormGradients {
  const T *dy, *sum, *gamma;
  const float *mean, *rstd;
  const std::int64_t* row_keys;
  T *dx, *d_residual;
};

// d_sum = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma; it goes to d_residual, and through dropout to
// dx.
template <class T>
__global__ void layer_norm_backward_kernel(NormGradients<T> p, DropoutSpec spec, std::int64_t rows,
                                           std::int64_t cols) {
  const std::int64_t row = warp_row();
  if (row >= rows) return;
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

template <class T>
__global__ void dropout_kernel(DropoutSpec spec, T* out, const T* x, const std::int64_t* row_keys,
                               std::int64_t rows, std::int64_t cols) {
  const std::int64_t row = warp_row();
  if (row >= rows) return;
  dropped_row<T>(spec, row_key_of(row_keys, row), x + row * cols, nullptr, out + row * cols, cols);
}

template <class T>
void forward(const LayerNormArgs& a) {
  const NormPointers<T> p = {static_cast<const T*>(a.x),
                             static_cast<const T*>(a.residual),
                             static_cast<const T*>(a.gamma),
                             static_cast<const T*>(a.beta),
                             a.row_keys,
                             static_cast<T*>(a.out),
                             static_cast<T*>(a.sum),
                             static_cast<float*>(a.mean),
                             static_cast<float*>(a.rstd)};
  launch("layer_norm", layer_norm_kernel<T>, blocks_for(a.rows, kRowsPerBlock), kBlock, p,
         on_device(a.dropout), a.rows, a.cols, static_cast<float>(a.eps));
}

template <class T>
void backward(const LayerNormBackwardArgs& a) {
  const auto *dy = static_cast<const T*>(a.dy), *sum = static_cast<const T*>(a.sum);
  const auto *mean = static_cast<const float*>(a.mean), *rstd = static_cast<const float*>(a.rstd);
  if (a.dx != nullptr || a.d_residual != nullptr) {
    const NormGradients<T> p = {
        dy,   sum,        static_cast<const T*>(a.gamma), mean,
        rstd, a.row_keys, static_cast<T*>(a.dx),          static_cast<T*>(a.d_residual)};
    launch("layer_norm", layer_norm_backward_kernel<T>, blocks_for(a.rows, kRowsPerBlock), kBlock, p,
           on_device(a.dropout), a.rows, a.cols);
  }
  if (a.d_gamma == nullptr && a.d_beta == nullptr) return;
  T* const sums[2] = {static_cast<T*>(a.d_gamma), static_cast<T*>(a.d_beta)};
  column_sums("layer_norm", ParameterTerms<T>{dy, sum, mean, rstd, a.cols}, a.rows, a.cols, sums);
}

void layer_norm(const LayerNormArgs& args) {
  if (args.cols == 0) return;
  SESAME_CUDA_TYPES("layer_norm", args.dtype, forward<T>(args));
}

void layer_norm_backward(const LayerNormBackwardArgs& args) {
  if (args.cols == 0) return;
  SESAME_CUDA_TYPES("layer_norm", args.dtype, backward<T>(args));
}

void dropout(const View& out, const View& x, const View& row_keys, const DropoutSpec& spec) {
  SESAME_CUDA_TYPES(
      "dropout", x.dtype,
      launch("dropout", dropout_kernel<T>, blocks_for(x.size[0], kRowsPerBlock), kBlock, on_device(spec),
             ptr<T>(out), ptr<const T>(x), ptr<const std::int64_t>(row_keys), x.size[0], x.size[1]));
}

}  // namespace

void fill_norm(KernelTable& table) {
  table.layer_norm = layer_norm;
  table.layer_norm_backward = layer_norm_backward;
  table.dropout = dropout;
}

}  // namespace sesame::cuda
