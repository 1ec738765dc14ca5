// Softmax cross-entropy over rows, and binary cross-entropy by element. A target out of range counts as
// ignored (checks.cu reports it). With s bytes an element of the logits: cross-entropy moves s and backward 2 s, binary
// cross-entropy 3 s and backward 4 s.
#include "autograd/backend/cuda/kernels/indices.cuh"
#include "autograd/backend/cuda/kernels/map.cuh"
#include "autograd/backend/cuda/kernels/math.cuh"
#include "autograd/backend/cuda/kernels/row_team.cuh"

namespace sesame::cuda {
namespace {

template <class T>
struct CrossEntropy {
  const T* logits;
  const std::int64_t* targets;
  std::int64_t rows, cols, ignore_index;
  float smoothing;
  float* lse;
};

template <class T>
__device__ bool is_ignored(const CrossEntropy<T>& p, std::int64_t target) {
  return target == p.ignore_index || !inside(target, p.cols);
}

template <int N, int Lanes, class T>
__global__ void cross_entropy_kernel(CrossEntropy<T> p, T* loss) {
  const std::int64_t row = team_row<Lanes>();
  if (row >= p.rows) return;  // the whole team, as below
  const std::int64_t target = p.targets[row];
  const bool first = team_lane<Lanes>() == 0;
  if (is_ignored(p, target)) {
    if (first) {
      loss[row] = from_float<T>(0);
      p.lse[row] = 0;
    }
    return;
  }
  const T* x = p.logits + row * p.cols;
  Exponentials mine;
  float plain = 0;
  each_pack<N, Lanes>(p.cols, [&](std::int64_t j) {
    const Floats<N> values = load_floats<N>(x + j);
    add_exponentials(mine, values);
    for (int i = 0; i < N; ++i) plain += values[i];
  });
  const Exponentials all = team_exponentials<Lanes>(mine);
  plain = team_sum<Lanes>(plain);
  if (!first) return;
  const float lse = all.top + logf(all.sum);
  p.lse[row] = lse;
  float result = lse - (1.0f - p.smoothing) * to_float(x[target]);
  if (p.smoothing > 0) result -= p.smoothing * (plain / static_cast<float>(p.cols));
  loss[row] = from_float<T>(result);
}

template <int N, int Lanes, class T>
__global__ void cross_entropy_backward_kernel(CrossEntropy<T> p, const T* dloss, T* dlogits) {
  const std::int64_t row = team_row<Lanes>();
  if (row >= p.rows) return;
  const std::int64_t target = p.targets[row];
  const T* x = p.logits + row * p.cols;
  T* dx = dlogits + row * p.cols;
  const bool ignored = is_ignored(p, target);
  const float scale = to_float(dloss[row]), lse = p.lse[row],
              spread = p.smoothing / static_cast<float>(p.cols);
  each_pack<N, Lanes>(p.cols, [&](std::int64_t j) {
    Floats<N> values{};
    if (!ignored) {
      values = load_floats<N>(x + j);
      for (int i = 0; i < N; ++i) {
        const float wanted = spread + (j + i == target ? 1.0f - p.smoothing : 0.0f);
        values[i] = scale * (expf(values[i] - lse) - wanted);
      }
    }
    store_floats(dx + j, values);
  });
}

template <class T>
CrossEntropy<T> pointers(const CrossEntropyArgs& a) {
  return {static_cast<const T*>(a.logits),
          a.targets,
          a.rows,
          a.cols,
          a.ignore_index,
          static_cast<float>(a.smoothing),
          static_cast<float*>(a.lse)};
}

template <class T>
void forward(const CrossEntropyArgs& args) {
  const CrossEntropy<T> p = pointers<T>(args);
  with_team<T>(p.rows, p.cols, {p.logits}, [&]<int N, int Lanes>(unsigned blocks) {
    launch("cross_entropy", cross_entropy_kernel<N, Lanes, T>, blocks, kBlock, p, static_cast<T*>(args.loss));
  });
}

template <class T>
void backward(const CrossEntropyBackwardArgs& args) {
  const CrossEntropy<T> p = pointers<T>(args.forward);
  with_team<T>(p.rows, p.cols, {p.logits, args.dlogits}, [&]<int N, int Lanes>(unsigned blocks) {
    launch("cross_entropy", cross_entropy_backward_kernel<N, Lanes, T>, blocks, kBlock, p,
           static_cast<const T*>(args.dloss), static_cast<T*>(args.dlogits));
  });
}

void cross_entropy(const CrossEntropyArgs& args) {
  if (args.cols == 0) return;
  SESAME_CUDA_TYPES("cross_entropy", args.dtype, forward<T>(args));
}

void cross_entropy_backward(const CrossEntropyBackwardArgs& args) {
  if (args.forward.cols == 0) return;
  SESAME_CUDA_TYPES("cross_entropy", args.forward.dtype, backward<T>(args));
}

struct Bce {
  template <int N>
  __device__ Floats<N> operator()(Floats<N> x, const Floats<N>& target) const {
    for (int i = 0; i < N; ++i) {
      const float positive = x[i] < 0 ? 0.0f : x[i];
      x[i] = positive - x[i] * target[i] + log1pf(expf(-fabsf(x[i])));
    }
    return x;
  }
};

struct BceGradient {
  template <int N>
  __device__ Floats<N> operator()(Floats<N> dy, const Floats<N>& x, const Floats<N>& target) const {
    for (int i = 0; i < N; ++i) dy[i] *= sigmoid(x[i]) - target[i];
    return dy;
  }
};

void bce_with_logits(const View& out, const View& x, const View& target) {
  SESAME_CUDA_TYPES(
      "bce_with_logits", x.dtype,
      map("bce_with_logits", x.numel, Bce{}, ptr<T>(out), ptr<const T>(x), ptr<const T>(target)));
}

void bce_with_logits_backward(const View& dx, const View& dy, const View& x, const View& target) {
  SESAME_CUDA_TYPES("bce_with_logits", x.dtype,
                    map("bce_with_logits", x.numel, BceGradient{}, ptr<T>(dx), ptr<const T>(dy),
                        ptr<const T>(x), ptr<const T>(target)));
}

}  // namespace

void fill_loss(KernelTable& table) {
  table.cross_entropy = cross_entropy;
  table.cross_entropy_backward = cross_entropy_backward;
  table.bce_with_logits = bce_with_logits;
  table.bce_with_logits_backward = bce_with_logits_backward;
}

}  // namespace sesame::cuda
