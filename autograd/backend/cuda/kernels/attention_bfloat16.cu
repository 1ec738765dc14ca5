// Packed attention, forward, bfloat16 on tensor cores (FlashAttention-2, Dao 2023). A warp owns 16 queries,
// kept in registers with the running maximum, sum and output; a block's warps walk over the keys together, a
// tile at a time in shared memory. The next keys are on their way while values are multiplied, and the next
// values while scores are. Probabilities stay in registers: an accumulator of two tiles of 8 keys is the left
// side of the product with the values, once it is rounded to bfloat16.
#include "autograd/backend/cuda/kernels/attention_fragments.cuh"

namespace sesame::cuda {
namespace {

// One warp's queries: row0 + g + 8 half, half 0 and 1, belong to this thread's quad.
template <int W, int Keys>
struct QueryTile {
  FragmentA q[W / 16];
  FragmentC s[Keys / 8], out[W / 8];
  float top[2], sum[2];  // running maximum of raw scores; this thread's part of the sum
  int row0, seen[2];     // first query; visible keys
  float unit;            // a raw score of 1 in powers of 2, not negative
  bool negative;         // the sign of the scale

  __device__ QueryTile(const AttentionPair& pair, int first_row, double scale)
      : row0(first_row), unit(fabsf(static_cast<float>(scale)) * kLog2E), negative(scale < 0) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      top[half] = -INFINITY;
      sum[half] = 0;
      // Rows behind the last query compute something that nobody stores.
      seen[half] = pair.visible(smaller(row0 + lane_of_thread() / 4 + 8 * half, pair.queries - 1));
    }
#pragma unroll
    for (FragmentC& x : out) x = {};
  }

  __device__ void load_queries(const BFloat16* tile, int row) {
#pragma unroll
    for (int i = 0; i < W / 16; ++i) q[i] = load_a<W>(tile, row, 2 * i);
  }

  // s = Q K^T for the first `groups` groups of 16 keys.
  __device__ void score(const BFloat16* keys, int groups) {
#pragma unroll
    for (FragmentC& x : s) x = {};
#pragma unroll
    for (int i = 0; i < W / 16; ++i) {
#pragma unroll
      for (int n = 0; n < Keys / 16; ++n) {
        if (n < groups) mma_pair(s[2 * n], s[2 * n + 1], q[i], load_b_transposed<W>(keys, 16 * n, 2 * i));
      }
    }
    if (!negative) return;
#pragma unroll
    for (FragmentC& x : s) {
      for (float& score : x.x) score = -score;
    }
  }

  __device__ void hide(int k0) {
    const int key = k0 + 2 * (lane_of_thread() % 4);
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if (key + 8 * n + e % 2 >= seen[e / 2]) s[n].x[e] = -INFINITY;
      }
    }
  }

  // Scores become exponentials relative to the new maximum; what was summed before is rescaled.
  __device__ void exponentiate(int groups) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float high = top[half];
#pragma unroll
      for (int n = 0; n < Keys / 8; ++n) {
        if (n / 2 < groups) high = fmaxf(high, fmaxf(s[n].x[2 * half], s[n].x[2 * half + 1]));
      }
      high = quad_max(high);
      const float shift = high * unit, correction = exp2_approximate((top[half] - high) * unit);
      top[half] = high;
      sum[half] *= correction;
#pragma unroll
      for (int n = 0; n < Keys / 8; ++n) {
        if (n / 2 >= groups) continue;
#pragma unroll
        for (int e = 2 * half; e < 2 * half + 2; ++e) {
          s[n].x[e] = exp2_approximate(s[n].x[e] * unit - shift);
          sum[half] += s[n].x[e];
        }
      }
#pragma unroll
      for (FragmentC& x : out) {
        x.x[2 * half] *= correction;
        x.x[2 * half + 1] *= correction;
      }
    }
  }

  __device__ void drop(const DropoutSpec& spec, const AttentionPair& pair, int head, int k0, int groups) {
    RowMask<Keys / 8> mask;
    mask.draw(spec, pair, head, row0, k0, 2 * groups);
#pragma unroll
    for (int n = 0; n < Keys / 8; ++n) {
      if (n / 2 >= groups) continue;
      const std::uint32_t kept = mask.of_tile(n);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        if ((kept >> (e / 2 * 16 + e % 2) & 1) == 0) s[n].x[e] = 0;
      }
    }
  }

  // out += P V.
  __device__ void add_values(const BFloat16* values, int groups) {
#pragma unroll
    for (int n = 0; n < Keys / 16; ++n) {
      if (n >= groups) continue;
      const FragmentA p = as_left_side(s[2 * n], s[2 * n + 1]);
#pragma unroll
      for (int c = 0; c < W / 16; ++c) {
        mma_pair(out[2 * c], out[2 * c + 1], p, load_b<W>(values, 16 * n, 2 * c));
      }
    }
  }

  // A query without keys gives 0, and the log-sum-exp 0.
  __device__ void store(const AttentionArgs& args, const AttentionPair& pair, int segment, int head,
                        bool aligned) {
    BFloat16* to = head_rows<BFloat16>(args, args.queries, segment, head, args.out, args.out_stride);
    const float kept = args.dropout.threshold != 0 ? args.dropout.scale16 : 1.0f;
    const float totals[2] = {quad_sum(sum[0]), quad_sum(sum[1])};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float total = totals[half];
      const int query = row0 + lane_of_thread() / 4 + 8 * half;
      if (query >= pair.queries) continue;
      store_row(to + query * args.out_stride, out, half, 0, static_cast<int>(args.head_dim),
                total == 0 ? 0.0f : kept / total, aligned);
      if (args.lse != nullptr && lane_of_thread() % 4 == 0) {
        static_cast<float*>(args.lse)[(args.queries.begin[segment] + query) * args.heads + head] =
            total == 0 ? 0.0f : top[half] * unit * kLn2 + logf(total);
      }
    }
  }
};

template <int W, int Warps>
__global__ void __launch_bounds__(32 * Warps)
    attention_tensor_kernel(AttentionArgs args, int tiles, bool aligned) {
  constexpr int kRows = 16 * Warps, kKeys = Warps == 1 ? 32 : 64, kThreads = 32 * Warps;
  alignas(128) __shared__ BFloat16 q[kRows * W], k[kKeys * W], v[kKeys * W];
  const auto [segment, head, tile] = attention_unit(args, tiles);
  const AttentionPair pair = attention_pair(args, segment);
  const int begin = tile * kRows, width = static_cast<int>(args.head_dim);
  if (begin >= pair.queries) return;  // the whole block
  const HeadRows queries{head_rows<BFloat16>(args, args.queries, segment, head, args.q, args.q_stride),
                         args.q_stride, pair.queries, width};
  const HeadRows keys{head_rows<BFloat16>(args, args.keys, segment, head, args.k, args.k_stride),
                      args.k_stride, pair.keys, width};
  const HeadRows values{head_rows<BFloat16>(args, args.keys, segment, head, args.v, args.v_stride),
                        args.v_stride, pair.keys, width};
  load_rows<W, kRows, kThreads>(q, queries, begin, aligned);
  load_rows<W, kKeys, kThreads>(k, keys, 0, aligned);
  cp_async_commit();
  load_rows<W, kKeys, kThreads>(v, values, 0, aligned);
  cp_async_commit();

  const int row0 = begin + 16 * warp_of_thread();
  const int block_limit = pair.visible(smaller(begin + kRows, pair.queries) - 1);
  // What the warp's last query sees; nothing where there is no query.
  const int limit = row0 < pair.queries ? pair.visible(smaller(row0 + 16, pair.queries) - 1) : 0;
  const int seen_by_all = pair.visible(smaller(row0, pair.queries - 1));
  QueryTile<W, kKeys> rows(pair, row0, args.scale);
  cp_async_wait<1>();
  __syncthreads();
  if (limit > 0) rows.load_queries(q, 16 * warp_of_thread());
  for (int k0 = 0; k0 < block_limit; k0 += kKeys) {
    const int groups = groups_of_16(limit - k0, kKeys);
    if (groups > 0) rows.score(k, groups);
    cp_async_wait<0>();
    __syncthreads();  // the values are here, and the keys have been used
    if (k0 + kKeys < block_limit) load_rows<W, kKeys, kThreads>(k, keys, k0 + kKeys, aligned);
    cp_async_commit();
    if (groups > 0) {
      if (k0 + kKeys > seen_by_all) rows.hide(k0);
      rows.exponentiate(groups);
      if (args.dropout.threshold != 0) rows.drop(args.dropout, pair, head, k0, groups);
      rows.add_values(v, groups);
    }
    cp_async_wait<0>();
    __syncthreads();  // the next keys are here, and the values have been used
    if (k0 + kKeys < block_limit) load_rows<W, kKeys, kThreads>(v, values, k0 + kKeys, aligned);
    cp_async_commit();
  }
  if (row0 < pair.queries) rows.store(args, pair, segment, head, aligned);
}

template <int W, int Warps>
void run(const AttentionArgs& args, bool aligned) {
  const int tiles = static_cast<int>((args.queries.max_length + 16 * Warps - 1) / (16 * Warps));
  const dim3 grid(static_cast<unsigned>(args.queries.count * args.heads * tiles));
  launch("attention", attention_tensor_kernel<W, Warps>, grid, 32 * Warps, args, tiles, aligned);
}

// Blocks of one warp where most segments would leave the other warps of a larger block without queries.
template <int W>
void run_width(const AttentionArgs& args, bool aligned) {
  if (args.queries.total <= 32 * args.queries.count) return run<W, 1>(args, aligned);
  run<W, 4>(args, aligned);
}

}  // namespace

void attention_bfloat16(const AttentionArgs& host_args) {
  AttentionArgs args = host_args;
  args.dropout = on_device(args.dropout);
  const bool aligned = aligned_rows(args.q, args.q_stride, args.head_dim) &&
                       aligned_rows(args.k, args.k_stride, args.head_dim) &&
                       aligned_rows(args.v, args.v_stride, args.head_dim) &&
                       aligned_rows(args.out, args.out_stride, args.head_dim);
  SESAME_HEAD_WIDTHS("attention", args.head_dim, run_width<W>(args, aligned));
}

}  // namespace sesame::cuda
