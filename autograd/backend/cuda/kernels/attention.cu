// Packed attention, forward: a block takes a tile of queries and walks over its keys with a running maximum
// and sum, so that no score leaves the block.
#include "autograd/backend/cuda/kernels/attention_tile.cuh"

namespace sesame::cuda {
namespace {

constexpr int kTileRows = 32;

template <class T, int W>
__global__ void attention_kernel(AttentionArgs args, std::int64_t tiles) {
  constexpr int B = kTileRows, kKeys = B / 4, kCols = W / 4;
  __shared__ float q[B][W + 1], kv[B][W + 1], p[B][B + 1];
  const std::int64_t segment = blockIdx.x / tiles, begin = blockIdx.x % tiles * B, head = blockIdx.y;
  const AttentionPair pair = attention_pair(args, segment);
  if (begin >= pair.queries) return;  // the whole block
  const T* keys = head_rows<T>(args, args.keys, segment, head, args.k, args.k_stride);
  const T* values = head_rows<T>(args, args.keys, segment, head, args.v, args.v_stride);
  load_tile<W, B>(q, head_rows<T>(args, args.queries, segment, head, args.q, args.q_stride), args.q_stride,
                  begin, pair.queries, args.head_dim);

  const int row = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4;
  const std::int64_t query = begin + row, last = begin + B < pair.queries ? begin + B - 1 : pair.queries - 1;
  const std::int64_t seen = query < pair.queries ? pair.visible(query) : 0, limit = pair.visible(last);
  const float scale = static_cast<float>(args.scale);
  float out[kCols] = {}, top = -INFINITY, sum = 0;
  for (std::int64_t k0 = 0; k0 < limit; k0 += B) {
    __syncthreads();  // the tile of before has been used
    load_tile<W, B>(kv, keys, args.k_stride, k0, pair.keys, args.head_dim);
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
      attention_dropout<kKeys>(args.dropout, pair, head, pair.first + query, k0 + part * kKeys, factors);
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
    load_tile<W, B>(kv, values, args.v_stride, k0, pair.keys, args.head_dim);
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
  T* to =
      head_rows<T>(args, args.queries, segment, head, args.out, args.out_stride) + query * args.out_stride;
  const float share = sum > 0 ? 1.0f / sum : 0.0f;  // a query without keys gives 0
#pragma unroll
  for (int i = 0; i < kCols; ++i) {
    if (part + 4 * i < args.head_dim) to[part + 4 * i] = from_float<T>(out[i] * share);
  }
  if (args.lse != nullptr && part == 0) {
    auto* lse = static_cast<float*>(args.lse);
    lse[(args.queries.begin[segment] + query) * args.heads + head] = sum > 0 ? top + logf(sum) : 0.0f;
  }
}

template <class T>
void run(const AttentionArgs& args) {
  const std::int64_t tiles = (args.queries.max_length + kTileRows - 1) / kTileRows;
  const dim3 grid(static_cast<unsigned>(args.queries.count * tiles), static_cast<unsigned>(args.heads));
  SESAME_HEAD_WIDTHS("attention", args.head_dim,
                     launch("attention", attention_kernel<T, W>, grid, 4 * kTileRows, args, tiles));
}

void attention(const AttentionArgs& args) { SESAME_CUDA_TYPES("attention", args.dtype, run<T>(args)); }

}  // namespace

void fill_attention(KernelTable& table) { table.attention = attention; }

}  // namespace sesame::cuda
