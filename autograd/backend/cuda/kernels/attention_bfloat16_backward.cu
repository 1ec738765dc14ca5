// Packed attention, backward, bfloat16 on tensor cores; the formulas stand in attention_backward.cu. A warp
// owns 16 keys and walks over the queries with the transposed scores S^T = K Q^T in registers, where P^T and
// dS^T are the left sides of dv = P^T dO and dk = dS^T Q at once. Where all keys of every segment fit into
// one block, the block has dS whole and gives dq as well; else dq has a kernel of its own that makes the
// scores again. Every output is written by one block, in one order.
#include "autograd/backend/cuda/kernels/attention_gradient.cuh"

namespace sesame::cuda {
namespace {

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
  // Scores of [16 keys, 8 queries] each, for as many groups of 16 queries as there are registers for.
  static constexpr int kGroups = W > 64 ? 1 : 2;
  FragmentC s[2 * kGroups], dp[2 * kGroups];
  int key0;

  __device__ explicit KeyTile(int first_key) : key0(first_key) {
#pragma unroll
    for (int n = 0; n < W / 8; ++n) dk[n] = dv[n] = {};
  }

  // s = K Q^T, dp = V dO^T, from group `first` of the step on.
  __device__ void score(const BFloat16* keys, int row, const QueryStep& step, int first) {
#pragma unroll
    for (int n = 0; n < 2 * kGroups; ++n) s[n] = dp[n] = {};
#pragma unroll
    for (int i = 0; i < W / 16; ++i) {
      const FragmentA k = load_a<W>(keys, row, 2 * i);
#pragma unroll
      for (int n = 0; n < kGroups; ++n) {
        if (first + n >= step.groups) continue;
        const int at = 16 * (first + n);
        mma_pair(s[2 * n], s[2 * n + 1], k, load_b_transposed<W>(step.q, at, 2 * i));
        mma_pair(dp[2 * n], dp[2 * n + 1], v[i], load_b_transposed<W>(step.d_out, at, 2 * i));
      }
    }
  }

  // s becomes P^T with the dropped ones 0, dp becomes dS^T; the scales of dropout and scores come last.
  // Queries that do not exist have d_out = 0 and delta = 0, and give 0.
  __device__ void differentiate(const Backward& at, const ColumnMask& mask, const QueryStep& step,
                                int first) {
    const int g = lane_of_thread() / 4, t = lane_of_thread() % 4;
    const bool hides = key0 + 16 > at.pair.visible(step.begin);
#pragma unroll
    for (int n = 0; n < 2 * kGroups; ++n) {
      if (first + n / 2 >= step.groups) continue;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        const int i = 16 * first + 8 * n + 2 * t + e;
        const float lse = step.lse[i] * kLog2E, delta = step.delta[i];
        const std::uint32_t keeps = at.drops ? mask.of_tile(2 * first + n, e) : 0x101u;
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
  __device__ void add(const QueryStep& step, int first, BFloat16* slopes, int row) {
    const int g = lane_of_thread() / 4, t = lane_of_thread() % 4;
#pragma unroll
    for (int n = 0; n < kGroups; ++n) {
      if (first + n >= step.groups) continue;
      const int at = 16 * (first + n);
      const FragmentA p = as_left_side(s[2 * n], s[2 * n + 1]), ds = as_left_side(dp[2 * n], dp[2 * n + 1]);
#pragma unroll
      for (int c = 0; c < W / 16; ++c) {
        mma_pair(dv[2 * c], dv[2 * c + 1], p, load_b<W>(step.d_out, at, 2 * c));
        mma_pair(dk[2 * c], dk[2 * c + 1], ds, load_b<W>(step.q, at, 2 * c));
      }
      if (slopes == nullptr) continue;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        BFloat16* to = slopes + tile_offset<kQueryStep>(row + g + 8 * (i % 2), at / 8 + i / 2) + 2 * t;
        *reinterpret_cast<std::uint32_t*>(to) = ds.x[i];
      }
    }
  }

  // Adds what the queries of a step give; one group after the other, not unrolled, where registers are short.
  __device__ void take(const AttentionArgs& args, const Backward& at, int head, const BFloat16* keys, int row,
                       const QueryStep& step, BFloat16* slopes) {
    ColumnMask mask;
    if (at.drops) mask.draw(args.dropout, at.pair, head, step.begin, key0);
#pragma unroll(kGroups)
    for (int first = 0; first < kQueryStep / 16; first += kGroups) {
      if (kGroups == 1 && first >= step.groups) break;
      score(keys, row, step, first);
      differentiate(at, mask, step, first);
      add(step, first, slopes, row);
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
  __device__ void load_step(const GradientArgs& given, const Backward& at, int begin, int buffer) {
    if (begin >= at.pair.queries) return;
    load_rows<W, kQueryStep, 32 * Warps>(q(buffer), at.q, begin, given.aligned);
    load_rows<W, kQueryStep, 32 * Warps>(d_out(buffer), at.d_out, begin, given.aligned);
    for (int i = static_cast<int>(threadIdx.x); i < 2 * kQueryStep; i += 32 * Warps) {
      const auto* from = i < kQueryStep ? static_cast<const float*>(given.all.forward.lse) : given.deltas;
      const int query = begin + i % kQueryStep;
      const bool inside = query < at.pair.queries;
      const std::int64_t place = at.first + (inside ? query : 0) * given.all.forward.heads;
      cp_async4(&terms[buffer][i / kQueryStep][i % kQueryStep], from + place, inside);
    }
  }
};

// dk and dv of 16 Warps keys; Whole: these are all keys of the segment, and dq comes with them.
template <int W, int Warps, bool Whole>
__global__ void __launch_bounds__(32 * Warps, W == 64 && Warps > 1 ? 12 / Warps : 1)
    key_gradient_tensor_kernel(GradientArgs given, int tiles) {
  constexpr int kKeys = 16 * Warps;
  __shared__ KeyGradientMemory<W, Warps, Whole> memory;
  const AttentionBackwardArgs& all = given.all;
  const AttentionArgs& args = all.forward;
  const bool aligned = given.aligned;
  const auto [segment, head, tile] = attention_unit(args, tiles);
  const Backward at(given, segment, head);
  const int k0 = tile * kKeys, row = 16 * warp_of_thread(), queries = at.pair.queries, keys = at.pair.keys;
  if (keys <= given.skip || (Whole && keys > kKeys)) return;  // the whole block has nothing to do
  if (k0 >= keys && !(Whole && queries > 0)) return;          // but without keys dq is 0
  int begin = 0;
  while (!Whole && begin < queries && at.limit(begin, kQueryStep) <= k0) begin += kQueryStep;

  load_rows<W, kKeys, 32 * Warps>(memory.keys, at.k, k0, aligned);
  load_rows<W, kKeys, 32 * Warps>(memory.values(), at.v, k0, aligned);
  cp_async_commit();
  memory.load_step(given, at, begin, 0);
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
    memory.load_step(given, at, begin + kQueryStep, buffer ^ 1);
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
      own.take(args, at, head, memory.keys, row, step, memory.slopes());
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

// --- launches ------------------------------------------------------------------------------------

template <int W, int Warps, bool Whole>
void run_keys(const GradientArgs& given) {
  const AttentionArgs& args = given.all.forward;
  const int tiles = Whole ? 1 : static_cast<int>((args.keys.max_length + 16 * Warps - 1) / (16 * Warps));
  launch("attention", key_gradient_tensor_kernel<W, Warps, Whole>, attention_grid(args, tiles), 32 * Warps,
         given, tiles);
}

// The most keys of which one block can give all gradients; wider heads find no room for more.
template <int W>
constexpr int kWholeKeys = W > 64 ? 32 : 128;

// All gradients of segments with at most `most` keys, a number from whole_class().
template <int W>
void run_whole(const GradientArgs& given, int most) {
  if constexpr (W <= 64) {
    if (most == 16) return run_keys<W, 1, true>(given);
    if (most == 64) return run_keys<W, 4, true>(given);
    if (most == 128) return run_keys<W, 8, true>(given);
  }
  run_keys<W, 2, true>(given);
}

// Segments of up to 16, 32, 64 or 128 keys have blocks of their own size.
template <int W>
int whole_class(std::int64_t keys) {
  int most = W > 64 ? 32 : 16;
  while (most < keys) most *= 2;
  return most;
}

// Where the average segment needs a smaller block than the longest one, those that fit go first.
template <int W>
void run_width(GradientArgs given) {
  const SegmentsView& keys = given.all.forward.keys;
  const bool keys_wanted = given.all.dk != nullptr || given.all.dv != nullptr;
  if (keys_wanted && keys.count > 0) {
    const int average = whole_class<W>(keys.total / keys.count), longest = whole_class<W>(keys.max_length);
    if (average < longest && average <= kWholeKeys<W>) {
      run_whole<W>(given, average);
      given.skip = average;
    }
    if (longest <= kWholeKeys<W>) return run_whole<W>(given, longest);
    run_keys<W, W <= 64 ? 4 : 2, false>(given);
  }
  if (given.all.dq != nullptr) launch_query_gradients<W>(given);
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
  SESAME_HEAD_WIDTHS("attention", args.head_dim, run_width<W>({all, deltas, aligned, -1}));
}

}  // namespace sesame::cuda
