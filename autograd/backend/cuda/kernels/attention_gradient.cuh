// What the backward kernels of attention on tensor cores share.
#pragma once

#include "autograd/backend/cuda/kernels/attention_fragments.cuh"

namespace sesame::cuda {

// Arguments of the kernels. Segments with no more than `skip` keys are left out: shorter ones have had a
// launch of their own.
struct GradientArgs {
  AttentionBackwardArgs all;
  const float* deltas;  // [query rows, heads]: D = dO . O
  bool aligned;         // rows of heads can be copied 16 bytes at a time
  int skip;
};

// What a kernel knows of its pair, ready for use.
struct Backward {
  AttentionPair pair;
  HeadRows q, d_out, k, v;
  std::int64_t first;  // where lse and D of the first query stand; the next one is `heads` further
  float unit;          // a raw score of 1 in powers of 2
  float kept;          // factor of what dropout keeps
  bool drops;

  __device__ Backward(const GradientArgs& given, int segment, int head)
      : pair(attention_pair(given.all.forward, segment)) {
    const AttentionBackwardArgs& all = given.all;
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
    first = args.queries.begin[segment] * args.heads + head;
    unit = static_cast<float>(args.scale) * kLog2E;
    drops = args.dropout.threshold != 0;
    kept = drops ? args.dropout.scale16 : 1.0f;
  }
  // What the last of `most` queries from `begin` on sees.
  __device__ int limit(int begin, int most) const {
    return pair.visible(smaller(begin + most, pair.queries) - 1);
  }
};

// Blocks for `tiles` tiles of each segment and head.
inline dim3 attention_grid(const AttentionArgs& args, int tiles) {
  return dim3(static_cast<unsigned>(args.queries.count * args.heads * tiles));
}

// dq of all segments with more than `skip` keys (attention_bfloat16_queries.cu).
template <int W>
void launch_query_gradients(const GradientArgs& given);

}  // namespace sesame::cuda
