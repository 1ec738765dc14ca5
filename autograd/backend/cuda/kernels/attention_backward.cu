// Packed attention, backward, in float32 or where segments share keys: scores are made again from the
// log-sum-exp. With P the softmax, M the dropout factors and D = dO . O = sum_j P M dP:  dS = P (M dP - D),
// dq = scale dS k, dk = scale dS^T q, dv = (P M)^T dO. One kernel walks over the keys of a tile of queries
// for dq, one over the queries of a tile of keys for dk and dv: nothing is added by two blocks, so nothing
// depends on their order.
#include "autograd/backend/cuda/kernels/attention_tile.cuh"

namespace sesame::cuda {
namespace {

// Four tiles of rows and two of scores must fit into 48 KB.
template <int W>
constexpr int kTileRows = W > 64 ? 16 : 32;

// This thread's part of a tile of scores: pd = P M, ds = scale dS, keys [part * kKeys, ...) of query `row`.
template <int W, int B>
struct ScoreTile {
  static constexpr int kKeys = B / 4;
  float pd[kKeys], ds[kKeys];

  __device__ void compute(const AttentionArgs& args, const AttentionPair& pair, int head,
                          const float (&q)[B][W + 1], const float (&d_out)[B][W + 1],
                          const float (&k)[B][W + 1], const float (&v)[B][W + 1], int query, int k0,
                          float lse, float delta) {
    const int row = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4;
    const int seen = query < pair.queries ? pair.visible(query) : 0;
    const float scale = static_cast<float>(args.scale);
    float scores[kKeys] = {}, dp[kKeys] = {}, factors[kKeys];
#pragma unroll 4
    for (int c = 0; c < W; ++c) {
      const float x = q[row][c], g = d_out[row][c];
#pragma unroll
      for (int i = 0; i < kKeys; ++i) {
        scores[i] += x * k[part * kKeys + i][c];
        dp[i] += g * v[part * kKeys + i][c];
      }
    }
    if (args.dropout.threshold != 0) {
      attention_dropout<kKeys>(args.dropout, pair, head, query, k0 + part * kKeys, factors);
    }
#pragma unroll
    for (int i = 0; i < kKeys; ++i) {
      const float factor = args.dropout.threshold != 0 ? factors[i] : 1.0f;
      const float p = k0 + part * kKeys + i < seen ? expf(scores[i] * scale - lse) : 0.0f;
      pd[i] = p * factor;
      ds[i] = scale * p * (factor * dp[i] - delta);
    }
  }
};

// What both kernels read of a query: log-sum-exp and D = dO . O.
template <int W, int B, class T>
__device__ void query_terms(const AttentionArgs& args, int segment, int head, const float (&d_out)[B][W + 1],
                            const T* out, int query, bool inside, float& lse, float& delta) {
  const int row = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4;
  float dot = 0;
  for (int c = part; inside && c < args.head_dim; c += 4) {
    dot += d_out[row][c] * to_float(out[query * args.out_stride + c]);
  }
  delta = quad_sum(dot);
  const auto* kept = static_cast<const float*>(args.lse);
  lse = inside ? kept[(args.queries.begin[segment] + query) * args.heads + head] : 0.0f;
}

template <class T, int W>
__global__ void query_gradient_kernel(AttentionBackwardArgs all, int tiles) {
  constexpr int B = kTileRows<W>, kKeys = B / 4, kCols = W / 4;
  __shared__ float q[B][W + 1], d_out[B][W + 1], k[B][W + 1], v[B][W + 1], ds[B][B + 1];
  const AttentionArgs& args = all.forward;
  const int segment = static_cast<int>(blockIdx.x) / tiles, begin = static_cast<int>(blockIdx.x) % tiles * B;
  const int head = static_cast<int>(blockIdx.y), width = static_cast<int>(args.head_dim);
  const AttentionPair pair = attention_pair(args, segment);
  if (begin >= pair.queries) return;  // the whole block
  load_tile<W, B>(q, head_rows<T>(args, args.queries, segment, head, args.q, args.q_stride), args.q_stride,
                  begin, pair.queries, width);
  load_tile<W, B>(d_out, head_rows<T>(args, args.queries, segment, head, all.d_out, all.d_out_stride),
                  all.d_out_stride, begin, pair.queries, width);
  __syncthreads();
  const int row = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4;
  const int query = begin + row, last = begin + B < pair.queries ? begin + B - 1 : pair.queries - 1;
  const T* out =
      head_rows<T>(args, args.queries, segment, head, static_cast<const void*>(args.out), args.out_stride);
  float lse, delta, dq[kCols] = {};
  query_terms<W, B>(args, segment, head, d_out, out, query, query < pair.queries, lse, delta);
  for (int k0 = 0; k0 < pair.visible(last); k0 += B) {
    __syncthreads();  // the tiles of before have been used
    load_tile<W, B>(k, head_rows<T>(args, args.keys, segment, head, args.k, args.k_stride), args.k_stride, k0,
                    pair.keys, width);
    load_tile<W, B>(v, head_rows<T>(args, args.keys, segment, head, args.v, args.v_stride), args.v_stride, k0,
                    pair.keys, width);
    __syncthreads();
    ScoreTile<W, B> tile;
    tile.compute(args, pair, head, q, d_out, k, v, query, k0, lse, delta);
#pragma unroll
    for (int i = 0; i < kKeys; ++i) ds[row][part * kKeys + i] = tile.ds[i];
    __syncthreads();
#pragma unroll 4
    for (int j = 0; j < B; ++j) {
      const float x = ds[row][j];
#pragma unroll
      for (int i = 0; i < kCols; ++i) dq[i] += x * k[j][part + 4 * i];
    }
  }
  if (query >= pair.queries) return;
  T* to = head_rows<T>(args, args.queries, segment, head, all.dq, all.dq_stride) +
          std::int64_t{query} * all.dq_stride;
#pragma unroll
  for (int i = 0; i < kCols; ++i) {
    if (part + 4 * i < width) to[part + 4 * i] = from_float<T>(dq[i]);
  }
}

// Writes or adds this thread's columns of a row.
template <int Cols, class T>
__device__ void store_columns(T* to, const float (&x)[Cols], int width, bool add) {
  const int part = static_cast<int>(threadIdx.x) % 4;
#pragma unroll
  for (int i = 0; i < Cols; ++i) {
    const int c = part + 4 * i;
    if (c < width) to[c] = from_float<T>(add ? to_float(to[c]) + x[i] : x[i]);
  }
}

template <class T, int W>
__global__ void key_gradient_kernel(AttentionBackwardArgs all, int tiles, int first_segment) {
  constexpr int B = kTileRows<W>, kKeys = B / 4, kCols = W / 4;
  __shared__ float q[B][W + 1], d_out[B][W + 1], k[B][W + 1], v[B][W + 1], pd[B][B + 1], ds[B][B + 1];
  const AttentionArgs& args = all.forward;
  const int segment = first_segment + static_cast<int>(blockIdx.x) / tiles,
            k0 = static_cast<int>(blockIdx.x) % tiles * B;
  const int head = static_cast<int>(blockIdx.y), width = static_cast<int>(args.head_dim);
  const AttentionPair pair = attention_pair(args, segment);
  if (k0 >= pair.keys) return;  // the whole block
  load_tile<W, B>(k, head_rows<T>(args, args.keys, segment, head, args.k, args.k_stride), args.k_stride, k0,
                  pair.keys, width);
  load_tile<W, B>(v, head_rows<T>(args, args.keys, segment, head, args.v, args.v_stride), args.v_stride, k0,
                  pair.keys, width);
  const int row = static_cast<int>(threadIdx.x) / 4, part = static_cast<int>(threadIdx.x) % 4;
  const T* out =
      head_rows<T>(args, args.queries, segment, head, static_cast<const void*>(args.out), args.out_stride);
  float dk[kCols] = {}, dv[kCols] = {};
  for (int begin = 0; begin < pair.queries; begin += B) {
    const int last = begin + B < pair.queries ? begin + B - 1 : pair.queries - 1, query = begin + row;
    if (pair.visible(last) <= k0)
      continue;  // no query of this tile sees these keys; the same for all threads
    __syncthreads();
    load_tile<W, B>(q, head_rows<T>(args, args.queries, segment, head, args.q, args.q_stride), args.q_stride,
                    begin, pair.queries, width);
    load_tile<W, B>(d_out, head_rows<T>(args, args.queries, segment, head, all.d_out, all.d_out_stride),
                    all.d_out_stride, begin, pair.queries, width);
    __syncthreads();
    float lse, delta;
    query_terms<W, B>(args, segment, head, d_out, out, query, query < pair.queries, lse, delta);
    ScoreTile<W, B> tile;
    tile.compute(args, pair, head, q, d_out, k, v, query, k0, lse, delta);
#pragma unroll
    for (int i = 0; i < kKeys; ++i) {
      pd[row][part * kKeys + i] = tile.pd[i];
      ds[row][part * kKeys + i] = tile.ds[i];
    }
    __syncthreads();
#pragma unroll 4
    for (int j = 0; j < B; ++j) {  // now `row` is a key
      const float weight = pd[j][row], slope = ds[j][row];
#pragma unroll
      for (int i = 0; i < kCols; ++i) {
        dv[i] += weight * d_out[j][part + 4 * i];
        dk[i] += slope * q[j][part + 4 * i];
      }
    }
  }
  if (k0 + row >= pair.keys) return;
  if (all.dk != nullptr) {
    T* to = head_rows<T>(args, args.keys, segment, head, all.dk, all.dk_stride) +
            std::int64_t{k0 + row} * all.dk_stride;
    store_columns<kCols>(to, dk, width, all.shared_keys);
  }
  if (all.dv != nullptr) {
    T* to = head_rows<T>(args, args.keys, segment, head, all.dv, all.dv_stride) +
            std::int64_t{k0 + row} * all.dv_stride;
    store_columns<kCols>(to, dv, width, all.shared_keys);
  }
}

template <class T, int W>
void run_width(const AttentionBackwardArgs& args) {
  constexpr int B = kTileRows<W>;
  const SegmentsView &queries = args.forward.queries, &keys = args.forward.keys;
  const auto heads = static_cast<unsigned>(args.forward.heads);
  if (args.dq != nullptr) {
    const int tiles = static_cast<int>((queries.max_length + B - 1) / B);
    launch("attention", query_gradient_kernel<T, W>,
           dim3(static_cast<unsigned>(queries.count * tiles), heads), 4 * B, args, tiles);
  }
  if (args.dk == nullptr && args.dv == nullptr) return;
  const int tiles = static_cast<int>((keys.max_length + B - 1) / B);
  if (!args.shared_keys) {
    return launch("attention", key_gradient_kernel<T, W>,
                  dim3(static_cast<unsigned>(keys.count * tiles), heads), 4 * B, args, tiles, 0);
  }
  // Segments with keys in common add one after the other.
  for (int segment = 0; segment < static_cast<int>(keys.count); ++segment) {
    launch("attention", key_gradient_kernel<T, W>, dim3(static_cast<unsigned>(tiles), heads), 4 * B, args,
           tiles, segment);
  }
}

template <class T>
void run(AttentionBackwardArgs args) {
  args.forward.dropout = on_device(args.forward.dropout);
  SESAME_HEAD_WIDTHS("attention", args.forward.head_dim, run_width<T, W>(args));
}

void attention_backward(const AttentionBackwardArgs& args) {
  if (args.forward.dtype == DType::BFloat16 && !args.shared_keys) return attention_backward_bfloat16(args);
  SESAME_CUDA_TYPES("attention", args.forward.dtype, run<T>(args));
}

}  // namespace

void fill_attention_backward(KernelTable& table) { table.attention_backward = attention_backward; }

}  // namespace sesame::cuda
