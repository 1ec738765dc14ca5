// What the forward and backward kernels of packed attention share. The unit of work is a pair of (query
// segment, key segment) and a head, cut into tiles of B queries or keys of W columns (the head width, rounded
// up with zeros). A block has 4 B threads: four neighbouring lanes, a quad, share a row of the tile, each
// with B / 4 neighbouring keys of it, or with every fourth column. Scores live in shared memory one tile at a
// time (the idea of FlashAttention, Dao et al. 2022).
#pragma once

#include "autograd/backend/cuda/kernels/philox.cuh"

namespace sesame::cuda {

struct AttentionPair {
  std::int64_t queries, keys, prefix;
  std::int64_t first;  // position of the first query (dropout counters, causal order)
  std::uint32_t example;
  AttentionPattern pattern;

  // How many keys query i sees: always the first ones, never fewer than query i - 1.
  __device__ std::int64_t visible(std::int64_t i) const {
    if (pattern == AttentionPattern::Bidirectional) return keys;
    const std::int64_t position = first + i, own = position + 1 < keys ? position + 1 : keys;
    return pattern == AttentionPattern::Prefix && position < prefix ? prefix : own;
  }
};

__device__ inline AttentionPair attention_pair(const AttentionArgs& args, std::int64_t segment) {
  AttentionPair pair;
  pair.queries = args.queries.length[segment];
  pair.keys = args.keys.length[segment];
  pair.prefix = args.keys.prefix[segment];
  pair.pattern = args.pattern;
  pair.first = args.pattern == AttentionPattern::Bidirectional ? 0 : pair.keys - pair.queries;
  pair.example = static_cast<std::uint32_t>(args.queries.example[segment]);
  return pair;
}

// Where one side's rows of this head begin.
template <class T>
__device__ T* head_rows(const AttentionArgs& args, const SegmentsView& side, std::int64_t segment,
                        std::int64_t head, void* data, std::int64_t stride) {
  return static_cast<T*>(data) + side.begin[segment] * stride + head * args.head_dim;
}
template <class T>
__device__ const T* head_rows(const AttentionArgs& args, const SegmentsView& side, std::int64_t segment,
                              std::int64_t head, const void* data, std::int64_t stride) {
  return static_cast<const T*>(data) + side.begin[segment] * stride + head * args.head_dim;
}

// Rows [begin, begin + B) of a head, zeros behind its last row and column. One column more than needed keeps
// the rows of a tile on different banks.
template <int W, int B, class T>
__device__ void load_tile(float (&tile)[B][W + 1], const T* rows, std::int64_t stride, std::int64_t begin,
                          std::int64_t count, std::int64_t width) {
  for (int i = static_cast<int>(threadIdx.x); i < B * W; i += 4 * B) {
    const int row = i / W, column = i % W;
    const bool inside = begin + row < count && column < width;
    tile[row][column] = inside ? to_float(rows[(begin + row) * stride + column]) : 0.0f;
  }
}

__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(kAllLanes, x, 1);
  return x + __shfl_xor_sync(kAllLanes, x, 2);
}
__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, 1));
  return fmaxf(x, __shfl_xor_sync(kAllLanes, x, 2));
}

// Dropout factors of Keys neighbouring keys, the first one a multiple of 4, for the query at `position`.
template <int Keys>
__device__ void attention_dropout(const DropoutSpec& spec, const AttentionPair& pair, std::int64_t head,
                                  std::int64_t position, std::int64_t first_key, float (&factors)[Keys]) {
#pragma unroll
  for (int group = 0; group < Keys / 4; ++group) {
    const Words words = philox(pair.example, static_cast<std::uint32_t>(position),
                               static_cast<std::uint32_t>(first_key / 4 + group),
                               static_cast<std::uint32_t>(head + 1), dropout_key(spec));
#pragma unroll
    for (int i = 0; i < 4; ++i) factors[4 * group + i] = dropout_factor(spec, words.w[i]);
  }
}

// Runs the statements with W = the head width rounded up to 32, 64 or 128.
#define SESAME_HEAD_WIDTHS(op, width, ...)                                                             \
  if ((width) <= 32) {                                                                                 \
    constexpr int W = 32;                                                                              \
    __VA_ARGS__;                                                                                       \
  } else if ((width) <= 64) {                                                                          \
    constexpr int W = 64;                                                                              \
    __VA_ARGS__;                                                                                       \
  } else if ((width) <= 128) {                                                                         \
    constexpr int W = 128;                                                                             \
    __VA_ARGS__;                                                                                       \
  } else {                                                                                             \
    ::sesame::cuda::refuse(op, "head width %lld: at most 128 on cuda", static_cast<long long>(width)); \
  }

}  // namespace sesame::cuda
