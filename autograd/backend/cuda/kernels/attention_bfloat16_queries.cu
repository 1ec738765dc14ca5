// Packed attention, backward, bfloat16 on tensor cores: dq where a segment has more keys than one block of
// attention_bfloat16_backward.cu. A warp owns 16 queries and walks over the keys: S = Q K^T and dP = dO V^T
// in registers, where dS is the left side of dq = dS K.
#include "autograd/backend/cuda/kernels/attention_gradient.cuh"

namespace sesame::cuda {
namespace {

// One warp's 16 queries: row0 + g + 8 half belong to this thread's quad.
template <int W>
struct GradientTile {
  FragmentA q[W / 16], d_out[W / 16];
  FragmentC dq[W / 8];
  float lse[2], delta[2];
  int row0, seen[2];

  __device__ GradientTile(const GradientArgs& given, const Backward& at, int first_row) : row0(first_row) {
#pragma unroll
    for (FragmentC& x : dq) x = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      // Rows behind the last query compute something that nobody stores.
      const int query = smaller(row0 + lane_of_thread() / 4 + 8 * half, at.pair.queries - 1);
      seen[half] = at.pair.visible(query);
      const std::int64_t place = at.first + query * given.all.forward.heads;
      lse[half] = static_cast<const float*>(given.all.forward.lse)[place] * kLog2E;
      delta[half] = given.deltas[place];
    }
  }

  // dq += dS K for up to 32 keys at row `row` of the tiles, `groups` of 16; keeps holds their dropout.
  template <int Tiles>
  __device__ void add(const Backward& at, const BFloat16* k, const BFloat16* v, int k0, int row, int groups,
                      const RowMask<Tiles>& mask) {
    FragmentC s[4] = {}, dp[4] = {};
#pragma unroll
    for (int i = 0; i < W / 16; ++i) {
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        if (n >= groups) continue;
        mma_pair(s[2 * n], s[2 * n + 1], q[i], load_b_transposed<W>(k, row + 16 * n, 2 * i));
        mma_pair(dp[2 * n], dp[2 * n + 1], d_out[i], load_b_transposed<W>(v, row + 16 * n, 2 * i));
      }
    }
    const int key = k0 + row + 2 * (lane_of_thread() % 4);
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      if (n / 2 >= groups) continue;
      const std::uint32_t keeps = at.drops ? mask.of_tile(row / 8 + n) : 0x30003u;
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int half = e / 2;
        const float p =
            key + 8 * n + e % 2 < seen[half] ? exp2_approximate(s[n].x[e] * at.unit - lse[half]) : 0.0f;
        const bool keep = (keeps >> (16 * half + e % 2) & 1) != 0;
        dp[n].x[e] = p * ((keep ? dp[n].x[e] * at.kept : 0.0f) - delta[half]);
      }
    }
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      if (n >= groups) continue;
      const FragmentA ds = as_left_side(dp[2 * n], dp[2 * n + 1]);
#pragma unroll
      for (int c = 0; c < W / 16; ++c) {
        mma_pair(dq[2 * c], dq[2 * c + 1], ds, load_b<W>(k, row + 16 * n, 2 * c));
      }
    }
  }
};

// dq of 64 queries, where a segment has more keys than one block.
template <int W>
__global__ void __launch_bounds__(128) query_gradient_tensor_kernel(GradientArgs given, int tiles) {
  constexpr int kRows = 64, kKeys = W > 64 ? 32 : 64, kTile = kKeys * W;
  alignas(128) __shared__ BFloat16 memory[4 * kTile];  // two steps of keys and values; queries at first
  static_assert(2 * kRows * W <= 4 * kTile);
  const AttentionBackwardArgs& all = given.all;
  const AttentionArgs& args = all.forward;
  const bool aligned = given.aligned;
  const auto [segment, head, tile] = attention_unit(args, tiles);
  const int begin = tile * kRows;
  if (begin >= args.queries.length[segment] || args.keys.length[segment] <= given.skip) return;  // the block
  const Backward at(given, segment, head);
  const int row0 = begin + 16 * warp_of_thread(), queries = at.pair.queries;
  load_rows<W, kRows, 128>(memory, at.q, begin, aligned);
  load_rows<W, kRows, 128>(memory + kRows * W, at.d_out, begin, aligned);
  cp_async_commit();
  GradientTile<W> own(given, at, row0);
  cp_async_wait<0>();
  __syncthreads();
  if (row0 < queries) {
#pragma unroll
    for (int i = 0; i < W / 16; ++i) {
      own.q[i] = load_a<W>(memory, 16 * warp_of_thread(), 2 * i);
      own.d_out[i] = load_a<W>(memory + kRows * W, 16 * warp_of_thread(), 2 * i);
    }
  }
  __syncthreads();  // the queries make room
  const int block_limit = at.limit(begin, kRows), limit = row0 < queries ? at.limit(row0, 16) : 0;
  if (block_limit > 0) {
    load_rows<W, kKeys, 128>(memory, at.k, 0, aligned);
    load_rows<W, kKeys, 128>(memory + kTile, at.v, 0, aligned);
  }
  cp_async_commit();
  for (int k0 = 0, buffer = 0; k0 < block_limit; k0 += kKeys, buffer ^= 1) {
    BFloat16 *k = memory + 2 * buffer * kTile, *next = memory + 2 * (buffer ^ 1) * kTile;
    if (k0 + kKeys < block_limit) {
      load_rows<W, kKeys, 128>(next, at.k, k0 + kKeys, aligned);
      load_rows<W, kKeys, 128>(next + kTile, at.v, k0 + kKeys, aligned);
    }
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    const int groups = groups_of_16(limit - k0, kKeys);
    RowMask<kKeys / 8> mask;
    if (at.drops && groups > 0) mask.draw(args.dropout, at.pair, head, row0, k0, 2 * groups);
    for (int row = 0; row < 16 * groups; row += 32) {
      own.add(at, k, k + kTile, k0, row, groups - row / 16, mask);
    }
    __syncthreads();  // the step has been used
  }
  BFloat16* dq = head_rows<BFloat16>(args, args.queries, segment, head, all.dq, all.dq_stride);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const std::int64_t query = row0 + lane_of_thread() / 4 + 8 * half;
    if (query >= queries) continue;
    store_row(dq + query * all.dq_stride, own.dq, half, 0, at.q.width, static_cast<float>(args.scale),
              aligned);
  }
}

}  // namespace

template <int W>
void launch_query_gradients(const GradientArgs& given) {
  const AttentionArgs& args = given.all.forward;
  const int tiles = static_cast<int>((args.queries.max_length + 63) / 64);
  launch("attention", query_gradient_tensor_kernel<W>, attention_grid(args, tiles), 128, given, tiles);
}
template void launch_query_gradients<32>(const GradientArgs&);
template void launch_query_gradients<64>(const GradientArgs&);
template void launch_query_gradients<128>(const GradientArgs&);

}  // namespace sesame::cuda
