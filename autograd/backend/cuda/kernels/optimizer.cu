// Optimiser updates in float32 (master weights are always float32), and the sums of squares that clipping
// needs.
//
// All tensors of a model go into a few launches: a list of them travels as the kernel's parameter, and each
// block takes a chunk of fixed size of one. What changes from update to update is read from memory, so that
// the launches can be recorded and replayed.
#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {
namespace {

// The entry that a block works on: the last one whose first chunk is not behind it.
template <class List>
__device__ int entry_of(const List& list, int block) {
  int low = 0, high = list.count - 1;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (list.entries[middle].first_chunk <= block) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

int chunks_of(std::int64_t n, std::int64_t chunk) { return static_cast<int>((n + chunk - 1) / chunk); }

// --- four neighbours at a time: one access of 16 bytes (8 in bfloat16) where the address allows it
// ---------------

struct alignas(8) FourHalves {
  BFloat16 x[4];
};

template <class T>
__device__ bool aligned_for_four(const T* p) {
  return reinterpret_cast<std::uintptr_t>(p) % (4 * sizeof(T)) == 0;
}

// Elements i to i + 3 of x; those from n on count as 0.
__device__ float4 load_four(const float* x, std::int64_t i, std::int64_t n, bool aligned) {
  if (aligned && i + 4 <= n) return *reinterpret_cast<const float4*>(x + i);
  float4 four{};
  if (i < n) four.x = x[i];
  if (i + 1 < n) four.y = x[i + 1];
  if (i + 2 < n) four.z = x[i + 2];
  if (i + 3 < n) four.w = x[i + 3];
  return four;
}

__device__ float4 load_four(const BFloat16* x, std::int64_t i, std::int64_t n, bool aligned) {
  FourHalves four{};
  if (aligned && i + 4 <= n) {
    four = *reinterpret_cast<const FourHalves*>(x + i);
  } else {
    for (int j = 0; j < 4; ++j) {
      if (i + j < n) four.x[j] = x[i + j];
    }
  }
  return {to_float(four.x[0]), to_float(four.x[1]), to_float(four.x[2]), to_float(four.x[3])};
}

__device__ void store_four(float* x, std::int64_t i, std::int64_t n, bool aligned, float4 four) {
  if (aligned && i + 4 <= n) {
    *reinterpret_cast<float4*>(x + i) = four;
    return;
  }
  if (i < n) x[i] = four.x;
  if (i + 1 < n) x[i + 1] = four.y;
  if (i + 2 < n) x[i + 2] = four.z;
  if (i + 3 < n) x[i + 3] = four.w;
}

__device__ void store_four(BFloat16* x, std::int64_t i, std::int64_t n, bool aligned, float4 four) {
  const FourHalves halves{from_float<BFloat16>(four.x), from_float<BFloat16>(four.y),
                          from_float<BFloat16>(four.z), from_float<BFloat16>(four.w)};
  if (aligned && i + 4 <= n) {
    *reinterpret_cast<FourHalves*>(x + i) = halves;
    return;
  }
  for (int j = 0; j < 4; ++j) {
    if (i + j < n) x[i + j] = halves.x[j];
  }
}

// --- AdamW
// -------------------------------------------------------------------------------------------------------

// Numbers of one tensor in this update.
struct alignas(16) Factors {
  float keep, step, root_bias2;  // root_bias2 0: the update is left out
  float scale;
};

struct RateEntry {
  std::int64_t slot;
  double lr_factor, decay;
};
constexpr int kRateEntries = 128;
struct RateList {
  int count;
  double beta1, beta2;
  bool bias_correction;
  const double *rates, *norm;
  double* updates;
  RateEntry entries[kRateEntries];
};

// A thread for each tensor: counts the update, and what follows from the count.
__global__ void adamw_factors_kernel(const __grid_constant__ RateList list, Factors* factors) {
  const int i = static_cast<int>(threadIdx.x);
  if (i >= list.count) return;
  const double norm = list.norm == nullptr ? 0 : *list.norm, most = list.rates[1];
  if (!(norm - norm == 0)) {
    factors[i] = {1, 0, 0, 0};
    return;
  }
  const RateEntry entry = list.entries[i];
  const double t = list.updates[entry.slot] + 1, lr = list.rates[0] * entry.lr_factor;
  list.updates[entry.slot] = t;
  double scale = list.rates[2], bias1 = 1, bias2 = 1;
  if (list.norm != nullptr && most > 0 && most / (norm + 1e-6) < 1) scale *= most / (norm + 1e-6);
  if (list.bias_correction) {
    bias1 = 1 - pow(list.beta1, t);
    bias2 = 1 - pow(list.beta2, t);
  }
  factors[i] = {static_cast<float>(1 - lr * entry.decay), static_cast<float>(lr / bias1),
                static_cast<float>(sqrt(bias2)), static_cast<float>(scale)};
}

struct UpdateEntry {
  float *weight, *m, *v;
  const float* grad;
  BFloat16* twin;
  std::int64_t n;
  int first_chunk;
};
constexpr int kUpdateEntries = 64;
constexpr std::int64_t kUpdateChunk = 32 * kBlock;
struct UpdateList {
  int count;
  float beta1, beta2, rest1, rest2, eps;
  const Factors* factors;
  UpdateEntry entries[kUpdateEntries];
};

__device__ void update_one(const UpdateList& a, const Factors& f, float grad, float& weight, float& m,
                           float& v) {
  const float g = grad * f.scale;
  m = a.beta1 * m + a.rest1 * g;
  v = a.beta2 * v + a.rest2 * g * g;
  weight = weight * f.keep - f.step * m / (sqrtf(v) / f.root_bias2 + a.eps);
}

__global__ void adamw_kernel(const __grid_constant__ UpdateList list) {
  const int block = static_cast<int>(blockIdx.x), at = entry_of(list, block);
  const UpdateEntry& entry = list.entries[at];
  const Factors f = list.factors[at];
  if (f.root_bias2 == 0) return;  // the whole block
  const bool aligned = aligned_for_four(entry.weight) && aligned_for_four(entry.grad) &&
                       aligned_for_four(entry.m) && aligned_for_four(entry.v);
  const std::int64_t begin = (block - entry.first_chunk) * kUpdateChunk;
  const std::int64_t end = begin + kUpdateChunk < entry.n ? begin + kUpdateChunk : entry.n;
  for (std::int64_t i = begin + 4 * static_cast<std::int64_t>(threadIdx.x); i < end; i += 4 * kBlock) {
    const float4 g = load_four(entry.grad, i, end, aligned);
    float4 w = load_four(entry.weight, i, end, aligned), m = load_four(entry.m, i, end, aligned);
    float4 v = load_four(entry.v, i, end, aligned);
    update_one(list, f, g.x, w.x, m.x, v.x);
    update_one(list, f, g.y, w.y, m.y, v.y);
    update_one(list, f, g.z, w.z, m.z, v.z);
    update_one(list, f, g.w, w.w, m.w, v.w);
    store_four(entry.m, i, end, aligned, m);
    store_four(entry.v, i, end, aligned, v);
    store_four(entry.weight, i, end, aligned, w);
    if (entry.twin != nullptr) store_four(entry.twin, i, end, aligned_for_four(entry.twin), w);
  }
}

void count_updates(const AdamWArgs& a, Factors* factors) {
  for (std::int64_t first = 0; first < a.count; first += kRateEntries) {
    const std::int64_t left = a.count - first;
    RateList list{static_cast<int>(left < kRateEntries ? left : kRateEntries),
                  a.beta1,
                  a.beta2,
                  a.bias_correction,
                  a.rates,
                  a.norm,
                  a.updates,
                  {}};
    for (int i = 0; i < list.count; ++i) {
      const AdamWTensor& tensor = a.tensors[first + i];
      list.entries[i] = {tensor.slot, tensor.lr_factor, tensor.decay};
    }
    launch("adamw", adamw_factors_kernel, 1, kBlock, list, factors + first);
  }
}

void adamw(const AdamWArgs& a) {
  if (a.count == 0) return;
  if (a.dtype != DType::Float32) unsupported("adamw", a.dtype);
  auto* factors = static_cast<Factors*>(scratch(static_cast<std::size_t>(a.count) * sizeof(Factors)));
  count_updates(a, factors);
  for (std::int64_t first = 0; first < a.count; first += kUpdateEntries) {
    const std::int64_t left = a.count - first;
    UpdateList list{static_cast<int>(left < kUpdateEntries ? left : kUpdateEntries),
                    static_cast<float>(a.beta1),
                    static_cast<float>(a.beta2),
                    static_cast<float>(1 - a.beta1),
                    static_cast<float>(1 - a.beta2),
                    static_cast<float>(a.eps),
                    factors + first,
                    {}};
    int chunks = 0;
    for (int i = 0; i < list.count; ++i) {
      const AdamWTensor& tensor = a.tensors[first + i];
      list.entries[i] = {static_cast<float*>(tensor.weight),
                         static_cast<float*>(tensor.m),
                         static_cast<float*>(tensor.v),
                         static_cast<const float*>(tensor.grad),
                         static_cast<BFloat16*>(tensor.twin),
                         tensor.numel,
                         chunks};
      chunks += chunks_of(tensor.numel, kUpdateChunk);
    }
    launch("adamw", adamw_kernel, static_cast<unsigned>(chunks), kBlock, list);
  }
}

// --- SGD
// ---------------------------------------------------------------------------------------------------------

// buffer may be null: plain SGD.
__global__ void sgd_kernel(float* weight, float* buffer, const float* grad, std::int64_t n, float lr,
                           float momentum, float decay, float scale) {
  for (std::int64_t i = loop_begin(); i < n; i += loop_step()) {
    float step = grad[i] * scale + decay * weight[i];
    if (buffer != nullptr) buffer[i] = step = momentum * buffer[i] + step;
    weight[i] -= lr * step;
  }
}

void sgd(const SgdArgs& a) {
  if (a.dtype != DType::Float32) unsupported("sgd", a.dtype);
  launch("sgd", sgd_kernel, loop_blocks(a.numel), kBlock, static_cast<float*>(a.weight),
         static_cast<float*>(a.momentum_buffer), static_cast<const float*>(a.grad), a.numel,
         static_cast<float>(a.lr), static_cast<float>(a.momentum), static_cast<float>(a.decay),
         static_cast<float>(a.grad_scale));
}

// --- sums of squares
// ---------------------------------------------------------------------------------------------

struct SquareEntry {
  const void* x;
  std::int64_t n;
  int first_chunk, chunks;
  bool halves, guard;  // bfloat16; counts as 0 * x
};
constexpr int kSquareEntries = 100;
constexpr std::int64_t kSquareChunk = 64 * kBlock;
struct SquareList {
  int count;
  SquareEntry entries[kSquareEntries];
};

// Neighbours are taken in the same order whether aligned or not, so that addresses do not change the sum.
template <class T>
__device__ double chunk_squares(const T* x, std::int64_t begin, std::int64_t end, bool guard) {
  const bool aligned = aligned_for_four(x);
  double sum = 0;
  for (std::int64_t i = begin + 4 * static_cast<std::int64_t>(threadIdx.x); i < end; i += 4 * kBlock) {
    const float4 four = load_four(x, i, end, aligned);
    const double a = four.x, b = four.y, c = four.z, d = four.w;
    sum += guard ? 0 * a + 0 * b + 0 * c + 0 * d : a * a + b * b + c * c + d * d;
  }
  return sum;
}

__global__ void squares_kernel(const __grid_constant__ SquareList list, double* partial) {
  const int block = static_cast<int>(blockIdx.x);
  const SquareEntry& entry = list.entries[entry_of(list, block)];
  const std::int64_t begin = (block - entry.first_chunk) * kSquareChunk;
  const std::int64_t end = begin + kSquareChunk < entry.n ? begin + kSquareChunk : entry.n;
  double sum = entry.halves ? chunk_squares(static_cast<const BFloat16*>(entry.x), begin, end, entry.guard)
                            : chunk_squares(static_cast<const float*>(entry.x), begin, end, entry.guard);
  sum = block_combine(sum, Plus{});
  if (threadIdx.x == 0) partial[block] = sum;
}

__device__ double strided_sum(const double* x, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < n; i += kBlock) sum += x[i];
  return block_combine(sum, Plus{});
}

// A block for each tensor.
__global__ void add_chunks_kernel(const __grid_constant__ SquareList list, const double* partial,
                                  double* sums) {
  const SquareEntry& entry = list.entries[blockIdx.x];
  const double sum = strided_sum(partial + entry.first_chunk, entry.chunks);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void root_kernel(double* sums, std::int64_t count) {
  const double sum = strided_sum(sums, count);
  if (threadIdx.x == 0) sums[count] = sqrt(sum);
}

// Chunk sums of the list's tensors, then the sum of each: the second kernel has read the chunks before the
// next list overwrites them.
void squares_of(const SumSquaresArgs& a, std::int64_t first) {
  const std::int64_t left = a.count - first;
  SquareList list{static_cast<int>(left < kSquareEntries ? left : kSquareEntries), {}};
  int chunks = 0;
  for (int i = 0; i < list.count; ++i) {
    const View& x = a.tensors[first + i];
    if (x.dtype != DType::Float32 && x.dtype != DType::BFloat16) unsupported("sum_of_squares", x.dtype);
    const int own = chunks_of(x.numel, kSquareChunk);
    list.entries[i] = {
        x.data, x.numel, chunks, own, x.dtype == DType::BFloat16, first + i >= a.count - a.guards};
    chunks += own;
  }
  auto* partial = static_cast<double*>(scratch(static_cast<std::size_t>(chunks + 1) * sizeof(double)));
  launch("sum_of_squares", squares_kernel, static_cast<unsigned>(chunks), kBlock, list, partial);
  launch("sum_of_squares", add_chunks_kernel, static_cast<unsigned>(list.count), kBlock, list, partial,
         a.sums + first);
}

void sum_squares(const SumSquaresArgs& a) {
  for (std::int64_t first = 0; first < a.count; first += kSquareEntries) squares_of(a, first);
  launch("sum_of_squares", root_kernel, 1, kBlock, a.sums, a.count);
}

}  // namespace

void fill_optimizer(KernelTable& table) {
  table.sum_squares = sum_squares;
  table.adamw = adamw;
  table.sgd = sgd;
}

}  // namespace sesame::cuda
