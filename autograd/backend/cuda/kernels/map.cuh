// One function applied to contiguous tensors of equal size, element by element: packs of 16 bytes where the
// tensors are aligned to them, single elements else and at the end.
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

template <int N, class F, class Out, class... In>
__device__ void map_pack(const F& f, std::int64_t at, Out* out, const In*... in) {
  store_floats<N>(out + at, f.template operator()<N>(load_floats<N>(in + at)...));
}

template <int N, class F, class Out, class... In>
__global__ void map_kernel(F f, std::int64_t n, Out* out, const In*... in) {
  const std::int64_t packs = n / N;
  for (std::int64_t i = loop_begin(); i < packs; i += loop_step()) map_pack<N>(f, i * N, out, in...);
  const std::int64_t rest = packs * N + loop_begin();
  if (rest < n) map_pack<1>(f, rest, out, in...);
}

// out[i] = f(in[i]...): f takes and gives Floats<N>, for any N. An input may be the output. Moves each input
// and the output once.
template <class F, class Out, class... In>
void map(const char* op, std::int64_t n, const F& f, Out* out, const In*... in) {
  constexpr int width = pack_width<Out, In...>();
  using Kernel = void (*)(F, std::int64_t, Out*, const In*...);
  const bool packed = takes_packs<width>(out) && (takes_packs<width>(in) && ...);
  const Kernel kernel = packed ? map_kernel<width, F, Out, In...> : map_kernel<1, F, Out, In...>;
  launch(op, kernel, loop_blocks(packed ? (n + width - 1) / width : n), kBlock, f, n, out, in...);
}

}  // namespace sesame::cuda
