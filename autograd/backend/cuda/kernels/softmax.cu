// Softmax and log-softmax over rows. With s bytes an element the forward pass moves 2 s and the backward pass
// 3 s; a row is read a second time while it is in the cache.
#include "autograd/backend/cuda/kernels/row_team.cuh"

namespace sesame::cuda {
namespace {

template <int N, int Lanes, class T>
__global__ void softmax_kernel(bool log, T* out, const T* x, std::int64_t rows, std::int64_t cols) {
  const std::int64_t row = team_row<Lanes>();
  if (row >= rows) return;  // the whole team
  const T* in = x + row * cols;
  T* y = out + row * cols;
  Exponentials mine;
  each_pack<N, Lanes>(cols, [&](std::int64_t j) { add_exponentials(mine, load_floats<N>(in + j)); });
  const Exponentials all = team_exponentials<Lanes>(mine);
  const float log_sum = logf(all.sum), scale = 1.0f / all.sum;
  each_pack<N, Lanes>(cols, [&](std::int64_t j) {
    Floats<N> values = load_floats<N>(in + j);
    for (int i = 0; i < N; ++i) {
      const float shifted = values[i] - all.top;
      values[i] = log ? shifted - log_sum : expf(shifted) * scale;
    }
    store_floats(y + j, values);
  });
}

template <int N, int Lanes, class T>
__global__ void softmax_backward_kernel(bool log, T* dx, const T* dy, const T* y, std::int64_t rows,
                                        std::int64_t cols) {
  const std::int64_t row = team_row<Lanes>();
  if (row >= rows) return;  // the whole team
  const T *g = dy + row * cols, *p = y + row * cols;
  float mine = 0;
  each_pack<N, Lanes>(cols, [&](std::int64_t j) {
    const Floats<N> gradient = load_floats<N>(g + j), value = load_floats<N>(p + j);
    for (int i = 0; i < N; ++i) mine += log ? gradient[i] : gradient[i] * value[i];
  });
  const float total = team_sum<Lanes>(mine);
  each_pack<N, Lanes>(cols, [&](std::int64_t j) {
    Floats<N> gradient = load_floats<N>(g + j);
    const Floats<N> value = load_floats<N>(p + j);
    for (int i = 0; i < N; ++i) {
      gradient[i] = log ? gradient[i] - expf(value[i]) * total : value[i] * (gradient[i] - total);
    }
    store_floats(dx + row * cols + j, gradient);
  });
}

template <class T>
void forward(bool log, T* out, const T* x, std::int64_t rows, std::int64_t cols) {
  with_team<T>(rows, cols, {out, x}, [&]<int N, int Lanes>(unsigned blocks) {
    launch("softmax", softmax_kernel<N, Lanes, T>, blocks, kBlock, log, out, x, rows, cols);
  });
}

template <class T>
void backward(bool log, T* dx, const T* dy, const T* y, std::int64_t rows, std::int64_t cols) {
  with_team<T>(rows, cols, {dx, dy, y}, [&]<int N, int Lanes>(unsigned blocks) {
    launch("softmax_backward", softmax_backward_kernel<N, Lanes, T>, blocks, kBlock, log, dx, dy, y, rows,
           cols);
  });
}

void softmax(bool log, const View& out, const View& x) {
  if (x.numel == 0) return;
  const std::int64_t cols = x.size[x.dim - 1];
  SESAME_CUDA_TYPES("softmax", x.dtype, forward(log, ptr<T>(out), ptr<const T>(x), x.numel / cols, cols));
}

void softmax_backward(bool log, const View& dx, const View& dy, const View& y) {
  if (y.numel == 0) return;
  const std::int64_t cols = y.size[y.dim - 1];
  SESAME_CUDA_TYPES("softmax_backward", y.dtype,
                    backward(log, ptr<T>(dx), ptr<const T>(dy), ptr<const T>(y), y.numel / cols, cols));
}

}  // namespace

void fill_softmax(KernelTable& table) {
  table.softmax = softmax;
  table.softmax_backward = softmax_backward;
}

}  // namespace sesame::cuda
