// Packed attention, backward, bfloat16 on tensor cores; the formulas stand in attention_backward.cu. A warp
// owns 16 keys and walks over the queries with the transposed scores S^T = K Q^T in registers, where P^T and
// dS^T are the left sides of dv = P^T dO and dk = dS^T Q at once. Where all keys of every segment fit into
// one block, the block has dS whole and gives dq as well; else dq has a kernel of its own that makes the
// scores again. Every output is written by one block, in one order.
#include "autograd/backend/cuda/kernels/attention_fragments.cuh"

namespace sesame::cuda {
namespace {

// What a kernel knows of its pair, ready for use.
struct Backward {
  AttentionPair pair;
  HeadRows q, d_out, k, v;
  const float *lse, *delta;  // of the first query; the next one is `heads` further
  float unit;                // a raw score of 1 in powers of 2
  float kept;                // factor of what dropout keeps
  bool drops;

  __device__ Backward(const AttentionBackwardArgs& all, const float* deltas, int segment, int head)
      : pair(attention_pair(all.forward, segment)) {
    const AttentionArgs& args = all.forward;
    const int width = static_cast<int>(args.head_dim);
    q = {head_rows<BFloat16>(args, args.queries, segment, head, args.q, args.q_stride), args.q_stride,
         pair.queries, width};
    d_out = {head_rows<BFloat16>(args, args.queries, segment, head, all.d_out, all.d_out_stride),
             all.d_out_stride, pair.queries, width};
    k = {head_rows<BFloat16>(args, args.keys, segment, head, args.k, args.k_stride), args.k_stride, pair.keys,
         width};
    v = {head_rows<BFloat16>(args, args.keys, segment, head, args.v, args.v_stride), args.v_stride, pair.keys,
         width};
    const std::int64_t first = args.queries.begin[segment] * args.heads + head;
    lse = static_cast<const float*>(args.lse) + first;
    delta = deltas + first;
    unit = static_cast<float>(args.scale) * kLog2E;
    drops = args.dropout.threshold != 0;
    kept = drops ? args.dropout.scale16 : 1.0f;
  }
  // What the last of `most` queries from `begin` on sees.
  __device__ int limit(int begin, int most) const {
    return pair.visible(smaller(begin + most, pair.queries) - 1);
  }
};

// D = dO . O for each row and head, eight lanes for each.
__global__ void delta_kernel(AttentionBackwardArgs all, float* delta, bool aligned) {
  const AttentionArgs& args = all.forward;
  const std::int64_t item = loop_begin() / 8;
  const bool inside = item < args.query_rows * args.heads;
  const int lane = static_cast<int>(threadIdx.x) % 8, width = static_cast<int>(args.head_dim);
  const std::int64_t row = item / args.heads, column = item % args.heads * args.head_dim;
  const auto* out = static_cast<const BFloat16*>(args.out) + row * args.out_stride + column;
  const auto* d_out = static_cast<const BFloat16*>(all.d_out) + row * all.d_out_stride + column;
  float sum = 0;
  if (inside && aligned) {
    for (int c = 8 * lane; c < width; c += 64) {
      const uint4 a = *reinterpret_cast<const uint4*>(out + c),
                  b = *reinterpret_cast<const uint4*>(d_out + c);
      const std::uint32_t x[] = {a.x, a.y, a.z, a.w}, y[] = {b.x, b.y, b.z, b.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        sum += low_bfloat16(x[i]) * low_bfloat16(y[i]) + high_bfloat16(x[i]) * high_bfloat16(y[i]);
      }
    }
  } else if (inside) {
    for (int c = lane; c < width; c += 8) sum += to_float(out[c]) * to_float(d_out[c]);
  }
  for (int offset = 4; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
  if (inside && lane == 0) delta[item] = sum;
}

constexpr int kQueryStep = 32;  // queries that a block of keys takes at a time

// A step's queries in shared memory.
struct QueryStep {
  const BFloat16 *q, *d_out;
  const float *lse, *delta;
  int begin, groups;  // first query; groups of 16 that hold any
};

// One warp's keys: key0 + g + 8 half belong to this thread's quad.
template <int W>
struct KeyTile {
  FragmentA v[W / 16];
  FragmentC dk[W / 8], dv[W / 8];
  FragmentC s[kQueryStep / 8], dp[kQueryStep / 8];  // [16 keys, 8 queries] each
  int key0;

  __device__ explicit KeyTile(int first_key) : key0(first_key) {
#pragma unroll
    for (int n = 0; n < W / 8; ++n) dk[n] = dv[n] = {};
  }

  // s = K Q^T, dp = V dO^T.
  __device__ void score(const BFloat16* keys, int row, const QueryStep& step) {
#pragma unroll
    for (int n = 0; n < kQueryStep / 8; ++n) s[n] = dp[n] = {};
#pragma unroll
    for (int i = 0; i < W / 16; ++i) {
      const FragmentA k = load_a<W>(keys, row, 2 * i);
#pragma unroll
      for (int n = 0; n < kQueryStep / 16; ++n) {
        if (n >= step.groups) continue;
        mma_pair(s[2 * n], s[2 * n + 1], k, load_b_transposed<W>(step.q, 16 * n, 2 * i));
        mma_pair(dp[2 * n], dp[2 * n + 1], v[i], load_b_transposed<W>(step.d_out, 16 * n, 2 * i));
      }
    }
  }

  // s becomes P^T with the dropped ones 0, dp becomes dS^T; the scales of dropout and scores come last.
  // Queries that do not exist have d_out = 0 and delta = 0, and give 0.
  __device__ void differentiate(const AttentionArgs& args, const Backward& at, int head,
                                const QueryStep& step) {
    const int g = lane_of_thread() / 4, t = lane_of_thread() % 4;
    const bool hides = key0 + 16 > at.pair.visible(step.begin);
    ColumnMask mask;
    if (at.drops) mask.draw(args.dropout, at.pair, head, step.begin, key0);
#pragma unroll
    for (int n = 0; n < kQueryStep / 8; ++n) {
      if (n / 2 >= step.groups) continue;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int i = 8 * n + 2 * t + e;
        const float lse = step.lse[i] * kLog2E, delta = step.delta[i];
        const std::uint32_t keeps = at.drops ? mask.of_tile(n, e) : 0x101u;
        const int seen = hides ? at.pair.visible(smaller(step.begin + i, at.pair.queries - 1)) : 0;
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          float &x = s[n].x[2 * half + e], &slope = dp[n].x[2 * half + e];
          float p = exp2_approximate(x * at.unit - lse);
          if (hides && key0 + g + 8 * half >= seen) p = 0;
          const bool keep = (keeps >> (8 * half) & 1) != 0;
          x = keep ? p : 0.0f;
          slope = p * ((keep ? slope * at.kept : 0.0f) - delta);
        }
      }
    }
  }

  // dv += P^T dO, dk += dS^T Q. dS^T also goes to rows `row` .. of `slopes` where that is not null.
  __device__ void add(const QueryStep& step, BFloat16* slopes, int row) {
    const int g = lane_of_thread() / 4, t = lane_of_thread() % 4;
#pragma unroll
    for (int n = 0; n < kQueryStep / 16; ++n) {
      if (n >= step.groups) continue;
      const FragmentA p = as_left_side(s[2 * n], s[2 * n + 1]), ds = as_left_side(dp[2 * n], dp[2 * n + 1]);
#pragma unroll
      for (int c = 0; c < W / 16; ++c) {
        mma_pair(dv[2 * c], dv[2 * c + 1], p, load_b<W>(step.d_out, 16 * n, 2 * c));
        mma_pair(dk[2 * c], dk[2 * c + 1], ds, load_b<W>(step.q, 16 * n, 2 * c));
      }
      if (slopes == nullptr) continue;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        BFloat16* to = slopes + tile_offset<kQueryStep>(row + g + 8 * (i % 2), 2 * n + i / 2) + 2 * t;
        *reinterpret_cast<std::uint32_t*>(to) = ds.x[i];
      }
    }
  }

  __device__ void store(const AttentionBackwardArgs& all, const Backward& at, int segment, int head,
                        bool aligned) {
    const AttentionArgs& args = all.forward;
    auto* to_k = head_rows<BFloat16>(args, args.keys, segment, head, all.dk, all.dk_stride);
    auto* to_v = head_rows<BFloat16>(args, args.keys, segment, head, all.dv, all.dv_stride);
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::int64_t key = key0 + lane_of_thread() / 4 + 8 * half;
      if (key >= at.pair.keys) continue;
      if (all.dk != nullptr) {
        store_row(to_k + key * all.dk_stride, dk, half, 0, at.k.width, static_cast<float>(args.scale),
                  aligned);
      }
      if (all.dv != nullptr) {
        store_row(to_v + key * all.dv_stride, dv, half, 0, at.k.width, at.kept, aligned);
      }
    }
  }
};

// dq = scale dS K of a step, from dS^T of all keys: each warp takes pieces of 16 queries and 16 columns.
template <int W, int Warps>
__device__ void store_query_gradients(const AttentionBackwardArgs& all, const Backward& at, BFloat16* dq,
                                      const BFloat16* slopes, const BFloat16* keys, const QueryStep& step,
                                      bool aligned) {
  const float scale = static_cast<float>(all.forward.scale);
  for (int piece = warp_of_thread(); piece < step.groups * (W / 16); piece += Warps) {
    const int group = piece / (W / 16), c = piece % (W / 16), row0 = step.begin + 16 * group;
    const int key_groups = groups_of_16(at.limit(row0, 16), 16 * Warps);
    FragmentC x[2] = {};
    for (int n = 0; n < key_groups; ++n) {
      mma_pair(x[0], x[1], load_a_transposed<kQueryStep>(slopes, 16 * n, 2 * group),
               load_b<W>(keys, 16 * n, 2 * c));
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const std::int64_t query = row0 + lane_of_thread() / 4 + 8 * half;
      if (query >= at.pair.queries) continue;
      store_row(dq + query * all.dq_stride, x, half, 16 * c, at.q.width, scale, aligned);
    }
  }
}

// Shared memory of key_gradient_kernel: keys, two steps of queries and d_out, dS^T. The values pass through
// the place of the second step and dS^T into registers.
template <int W, int Warps, bool Whole>
struct KeyGradientMemory {
  static constexpr int kKeys = 16 * Warps, kStep = kQueryStep * W;
  static constexpr int kSlopes = Whole ? kKeys * kQueryStep : 0;
  static_assert(kKeys * W <= 2 * kStep + kSlopes, "the values must fit");
  alignas(128) BFloat16 keys[kKeys * W];
  BFloat16 queries[4 * kStep + kSlopes];
  float terms[2][2][kQueryStep];

  __device__ BFloat16* values() { return queries + 2 * kStep; }
  __device__ BFloat16* slopes() { return Whole ? queries + 4 * kStep : nullptr; }
  __device__ BFloat16* q(int buffer) { return queries + 2 * buffer * kStep; }
  __device__ BFloat16* d_out(int buffer) { return queries + (2 * buffer + 1) * kStep; }

  // Begins to load the queries from `begin` on.
  __device__ void load_step(const Backward& at, std::int64_t heads, int begin, int buffer, bool aligned) {
    if (begin >= at.pair.queries) return;
    load_rows<W, kQueryStep, 32 * Warps>(q(buffer), at.q, begin, aligned);
    load_rows<W, kQueryStep, 32 * Warps>(d_out(buffer), at.d_out, begin, aligned);
    for (int i = static_cast<int>(threadIdx.x); i < 2 * kQueryStep; i += 32 * Warps) {
      const float* from = i < kQueryStep ? at.lse : at.delta;
      const int query = begin + i % kQueryStep;
      const bool inside = query < at.pair.queries;
      cp_async4(&terms[buffer][i / kQueryStep][i % kQueryStep], from + (inside ? query : 0) * heads, inside);
    }
  }
};

// dk and dv of 16 Warps keys; Whole: these are all keys of the segment, and dq comes with them.
template <int W, int Warps, bool Whole>
__global__ void __launch_bounds__(32 * Warps, W == 64 && Warps > 1 ? 12 / Warps : 1)
    key_gradient_tensor_kernel(AttentionBackwardArgs all, const float* deltas, int tiles, bool aligned) {
  constexpr int kKeys = 16 * Warps;
  __shared__ KeyGradientMemory<W, Warps, Whole> memory;
  const AttentionArgs& args = all.forward;
  const auto [segment, head, tile] = attention_unit(args, tiles);
  const Backward at(all, deltas, segment, head);
  const int k0 = tile * kKeys, row = 16 * warp_of_thread(), queries = at.pair.queries;
  if (k0 >= at.pair.keys && !(Whole && queries > 0)) return;  // the whole block
  int begin = 0;
  while (!Whole && begin < queries && at.limit(begin, kQueryStep) <= k0) begin += kQueryStep;

  load_rows<W, kKeys, 32 * Warps>(memory.keys, at.k, k0, aligned);
  load_rows<W, kKeys, 32 * Warps>(memory.values(), at.v, k0, aligned);
  cp_async_commit();
  memory.load_step(at, args.heads, begin, 0, aligned);
  cp_async_commit();
  KeyTile<W> own(k0 + row);
  cp_async_wait<1>();
  __syncthreads();
  if (own.key0 < at.pair.keys) {
#pragma unroll
    for (int i = 0; i < W / 16; ++i) own.v[i] = load_a<W>(memory.values(), row, 2 * i);
  }
  __syncthreads();  // the values make room
  for (int buffer = 0; begin < queries; begin += kQueryStep, buffer ^= 1) {
    memory.load_step(at, args.heads, begin + kQueryStep, buffer ^ 1, aligned);
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    const QueryStep step{memory.q(buffer),
                         memory.d_out(buffer),
                         memory.terms[buffer][0],
                         memory.terms[buffer][1],
                         begin,
                         groups_of_16(queries - begin, kQueryStep)};
    if (own.key0 < at.limit(begin, kQueryStep)) {
      own.score(memory.keys, row, step);
      own.differentiate(args, at, head, step);
      own.add(step, memory.slopes(), row);
    }
    if (Whole && all.dq != nullptr) {
      __syncthreads();
      BFloat16* dq = head_rows<BFloat16>(args, args.queries, segment, head, all.dq, all.dq_stride);
      store_query_gradients<W, Warps>(all, at, dq, memory.slopes(), memory.keys, step, aligned);
    }
    __syncthreads();  // the step has been used
  }
  if (own.key0 < at.pair.keys) own.store(all, at, segment, head, aligned);
}

// One warp's 16 queries: row0 + g + 8 half belong to this thread's quad.
template <int W>
struct GradientTile {
  FragmentA q[W / 16], d_out[W / 16];
  FragmentC dq[W / 8];
  float lse[2], delta[2];
  int row0, seen[2];

  __device__ GradientTile(const Backward& at, std::int64_t heads, int first_row) : row0(first_row) {
#pragma unroll
    for (FragmentC& x : dq) x = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      // Rows behind the last query compute something that nobody stores.
      const int query = smaller(row0 + lane_of_thread() / 4 + 8 * half, at.pair.queries - 1);
      seen[half] = at.pair.visible(query);
      lse[half] = at.lse[query * heads] * kLog2E;
      delta[half] = at.delta[query * heads];
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
__global__ void __launch_bounds__(128)
    query_gradient_tensor_kernel(AttentionBackwardArgs all, const float* deltas, int tiles, bool aligned) {
  constexpr int kRows = 64, kKeys = W > 64 ? 32 : 64, kTile = kKeys * W;
  alignas(128) __shared__ BFloat16 memory[4 * kTile];  // two steps of keys and values; queries at first
  static_assert(2 * kRows * W <= 4 * kTile);
  const AttentionArgs& args = all.forward;
  const auto [segment, head, tile] = attention_unit(args, tiles);
  const int begin = tile * kRows;
  if (begin >= args.queries.length[segment]) return;  // the whole block
  const Backward at(all, deltas, segment, head);
  const int row0 = begin + 16 * warp_of_thread(), queries = at.pair.queries;
  load_rows<W, kRows, 128>(memory, at.q, begin, aligned);
  load_rows<W, kRows, 128>(memory + kRows * W, at.d_out, begin, aligned);
  cp_async_commit();
  GradientTile<W> own(at, args.heads, row0);
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

// --- launches ------------------------------------------------------------------------------------

unsigned units(const SegmentsView& side, const AttentionArgs& args, int tiles) {
  return static_cast<unsigned>(side.count * args.heads * tiles);
}

template <int W, int Warps, bool Whole>
void run_keys(const AttentionBackwardArgs& args, const float* deltas, bool aligned) {
  const SegmentsView& keys = args.forward.keys;
  const int tiles = Whole ? 1 : static_cast<int>((keys.max_length + 16 * Warps - 1) / (16 * Warps));
  launch("attention", key_gradient_tensor_kernel<W, Warps, Whole>, dim3(units(keys, args.forward, tiles)),
         32 * Warps, args, deltas, tiles, aligned);
}

template <int W>
void run_width(const AttentionBackwardArgs& args, const float* deltas, bool aligned) {
  const SegmentsView &queries = args.forward.queries, &keys = args.forward.keys;
  const bool keys_wanted = args.dk != nullptr || args.dv != nullptr;
  if constexpr (W <= 64) {
    if (keys_wanted && keys.max_length <= 16) return run_keys<W, 1, true>(args, deltas, aligned);
  }
  if (keys_wanted && keys.max_length <= 32) return run_keys<W, 2, true>(args, deltas, aligned);
  if constexpr (W <= 64) {  // wider heads find no room for more in shared memory
    if (keys_wanted && keys.max_length <= 64) return run_keys<W, 4, true>(args, deltas, aligned);
    if (keys_wanted && keys.max_length <= 128) return run_keys<W, 8, true>(args, deltas, aligned);
  }
  if (keys_wanted) run_keys<W, W <= 64 ? 4 : 2, false>(args, deltas, aligned);
  if (args.dq == nullptr) return;
  const int tiles = static_cast<int>((queries.max_length + 63) / 64);
  launch("attention", query_gradient_tensor_kernel<W>, dim3(units(queries, args.forward, tiles)), 128, args,
         deltas, tiles, aligned);
}

}  // namespace

void attention_backward_bfloat16(const AttentionBackwardArgs& host_args) {
  AttentionBackwardArgs all = host_args;
  AttentionArgs& args = all.forward;
  args.dropout = on_device(args.dropout);
  bool aligned = true;
  const auto check_rows = [&](const void* data, std::int64_t stride) {
    aligned = aligned && aligned_rows(data, stride, args.head_dim);
  };
  check_rows(args.q, args.q_stride);
  check_rows(args.k, args.k_stride);
  check_rows(args.v, args.v_stride);
  check_rows(args.out, args.out_stride);
  check_rows(all.d_out, all.d_out_stride);
  check_rows(all.dq, all.dq == nullptr ? 0 : all.dq_stride);
  check_rows(all.dk, all.dk == nullptr ? 0 : all.dk_stride);
  check_rows(all.dv, all.dv == nullptr ? 0 : all.dv_stride);
  const std::int64_t items = args.query_rows * args.heads;
  auto* deltas = static_cast<float*>(scratch(static_cast<std::size_t>(items) * sizeof(float)));
  launch("attention", delta_kernel, dim3(blocks_for(items, kBlock / 8)), kBlock, all, deltas, aligned);
  SESAME_HEAD_WIDTHS("attention", args.head_dim, run_width<W>(all, deltas, aligned));
}

}  // namespace sesame::cuda
