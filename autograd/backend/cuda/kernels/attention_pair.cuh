// What all kernels of packed attention share: the pair of a (query segment, key segment), where its rows are,
// which keys a query sees, and the draws of dropout.
#pragma once

#include "autograd/backend/cuda/kernels/philox.cuh"

namespace sesame::cuda {

struct AttentionPair {
  int queries, keys, prefix;
  int first;  // position of the first query (dropout counters, causal order)
  std::uint32_t example;
  AttentionPattern pattern;

  // How many keys query i sees: always the first ones, never fewer than query i - 1.
  __device__ int visible(int i) const {
    if (pattern == AttentionPattern::Bidirectional) return keys;
    const int position = first + i, own = position + 1 < keys ? position + 1 : keys;
    return pattern == AttentionPattern::Prefix && position < prefix ? prefix : own;
  }
};

__device__ inline AttentionPair attention_pair(const AttentionArgs& args, int segment) {
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
__device__ T* head_rows(const AttentionArgs& args, const SegmentsView& side, int segment, int head,
                        void* data, std::int64_t stride) {
  return static_cast<T*>(data) + side.begin[segment] * stride + head * args.head_dim;
}
template <class T>
__device__ const T* head_rows(const AttentionArgs& args, const SegmentsView& side, int segment, int head,
                              const void* data, std::int64_t stride) {
  return static_cast<const T*>(data) + side.begin[segment] * stride + head * args.head_dim;
}

// Draws of keys 8 group .. 8 group + 7 for query i of a head.
__device__ inline Words attention_words(const DropoutSpec& spec, const AttentionPair& pair, int head, int i,
                                        int group) {
  return philox(pair.example, static_cast<std::uint32_t>(pair.first + i), static_cast<std::uint32_t>(group),
                static_cast<std::uint32_t>(head + 1), dropout_key(spec));
}

__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(kAllLanes, x, 1);
  return x + __shfl_xor_sync(kAllLanes, x, 2);
}
__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, 1));
  return fmaxf(x, __shfl_xor_sync(kAllLanes, x, 2));
}

// bfloat16 on tensor cores. The backward pass takes no segments that share keys.
void attention_bfloat16(const AttentionArgs& args);
void attention_backward_bfloat16(const AttentionBackwardArgs& args);

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
