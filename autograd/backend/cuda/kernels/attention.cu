// Packed attention, forward, float32: a block takes a tile of queries and walks over its keys with a running
// maximum and sum, so that no score leaves the block.
#include "autograd/backend/cuda/kernels/attention_tile.cuh"

namespace sesame::cuda {
namespace {

constexpr int kTileRows = 32;

template <int W>
__global__ void attention_kernel(AttentionArgs args, int tiles) {
  constexpr int B = kTileRows, kKeys = B / 4, kCols = W / 4;
  __shared__ float q[B][W + 1], kv[B][W + 1], p[B][B + 1];
  const int segment = static_cast<int>(blockIdx.x) / tiles, begin = static_cast<int>(blockIdx.x) % tiles * B;
  const int head = static_cast<int>(blockIdx.y), width = static_cast<int>(args.head_dim);
  const AttentionPair pair = attention_pair(args, segment);
  if (begin >= pair.queries) return;  // the whole block
  const float* keys = head_rows<float>(args, args.keys, segment, head, args.k, args.k_stride);
  const float* values = head_rows<float>(args, args.keys, segment, head, args.v, args.v_stride);
  load_tile<W, B>(q, head_rows<float>(args, args.queries, segment, head, args.q, args.q_stride),
                  args.q_stride, begin, pair.queries, width);

  const int row = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4;
  const int query = begin + row, last = begin + B < pair.queries ? begin + B - 1 : pair.queries - 1;
  const int seen = query < pair.queries ? pair.visible(query) : 0, limit = pair.visible(last);
  const float scale = static_cast<float>(args.scale);
  float out[kCols] = {}, top = -INFINITY, sum = 0;
  for (int k0 = 0; k0 < limit; k0 += B) {
    __syncthreads();  // the tile of before has been used
    load_tile<W, B>(kv, keys, args.k_stride, k0, pair.keys, width);
    __syncthreads();
    float scores[kKeys] = {};
#pragma unroll 4
    for (int c = 0; c < W; ++c) {
      const float x = q[row][c];
#pragma unroll
      for (int i = 0; i < kKeys; ++i) scores[i] += x * kv[part * kKeys + i][c];
    }
    float high = top;
#pragma unroll
    for (int i = 0; i < kKeys; ++i) {
      scores[i] = k0 + part * kKeys + i < seen ? scores[i] * scale : -INFINITY;
      high = fmaxf(high, scores[i]);
    }
    high = quad_max(high);
    // Rows behind the last query see nothing and stay at -infinity.
    const float shift = high == -INFINITY ? 0.0f : high, correction = expf(top - shift);
    float factors[kKeys], part_sum = 0;
    if (args.dropout.threshold != 0) {
      attention_dropout<kKeys>(args.dropout, pair, head, query, k0 + part * kKeys, factors);
    }
#pragma unroll
    for (int i = 0; i < kKeys; ++i) {
      const float e = expf(scores[i] - shift);
      part_sum += e;
      p[row][part * kKeys + i] = args.dropout.threshold != 0 ? e * factors[i] : e;
    }
    top = high;
    sum = sum * correction + quad_sum(part_sum);
    __syncthreads();
    load_tile<W, B>(kv, values, args.v_stride, k0, pair.keys, width);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kCols; ++i) out[i] *= correction;
#pragma unroll 4
    for (int j = 0; j < B; ++j) {
      const float weight = p[row][j];
#pragma unroll
      for (int i = 0; i < kCols; ++i) out[i] += weight * kv[j][part + 4 * i];
    }
  }
  if (query >= pair.queries) return;
  float* to = head_rows<float>(args, args.queries, segment, head, args.out, args.out_stride) +
              std::int64_t{query} * args.out_stride;
  const float share = sum > 0 ? 1.0f / sum : 0.0f;  // a query without keys gives 0
#pragma unroll
  for (int i = 0; i < kCols; ++i) {
    if (part + 4 * i < width) to[part + 4 * i] = out[i] * share;
  }
  if (args.lse != nullptr && part == 0) {
    auto* lse = static_cast<float*>(args.lse);
    lse[(args.queries.begin[segment] + query) * args.heads + head] = sum > 0 ? top + logf(sum) : 0.0f;
  }
}

void run_float32(AttentionArgs args) {
  args.dropout = on_device(args.dropout);
  const int tiles = static_cast<int>((args.queries.max_length + kTileRows - 1) / kTileRows);
  const dim3 grid(static_cast<unsigned>(args.queries.count * tiles), static_cast<unsigned>(args.heads));
  SESAME_HEAD_WIDTHS("attention", args.head_dim,
                     launch("attention", attention_kernel<W>, grid, 4 * kTileRows, args, tiles));
}

void attention(const AttentionArgs& args) {
  switch (args.dtype) {
    case DType::Float32:
      return run_float32(args);
    case DType::BFloat16:
      return attention_bfloat16(args);
    default:
      unsupported("attention", args.dtype);
  }
}

}  // namespace

void fill_attention(KernelTable& table) { table.attention = attention; }

}  // namespace sesame::cuda
