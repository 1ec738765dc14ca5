// What the forward and the backward pass of packed attention share: the pair of a segment and a head as the
// unit of work, its scratch memory, and its dropout draws.
#pragma once

#include "autograd/backend/cpu/kernels/isa.h"
#include "autograd/backend/cpu/kernels/philox.h"
#include "autograd/backend/cpu/kernels/small_gemm.h"

namespace sesame::cpu {
namespace SESAME_ISA {

constexpr int64_t kBlockRows = 128;          // queries in a block at most
constexpr int64_t kBlockBytes = 256 * 1024;  // scores of a block

// A segment's queries and keys for one head.
struct AttentionPair {
  int64_t segment, head;
  int64_t queries, keys, prefix;
  int64_t first;  // position of the first query (dropout counters, causal order)
  AttentionPattern pattern;

  // How many keys query i sees: always the first ones, never fewer than query i - 1.
  int64_t visible(int64_t i) const {
    if (pattern == AttentionPattern::Bidirectional) return keys;
    const int64_t position = first + i, own = position + 1 < keys ? position + 1 : keys;
    return pattern == AttentionPattern::Prefix && position < prefix ? prefix : own;
  }
};

inline AttentionPair make_attention_pair(const AttentionArgs& args, int64_t segment, int64_t head) {
  AttentionPair pair;
  pair.segment = segment;
  pair.head = head;
  pair.queries = args.queries.length[segment];
  pair.keys = args.keys.length[segment];
  pair.prefix = args.keys.prefix[segment];
  pair.pattern = args.pattern;
  pair.first = args.pattern == AttentionPattern::Bidirectional ? 0 : pair.keys - pair.queries;
  return pair;
}

// The pair's part of a tensor of rows [heads * head_dim].
template <class T>
T* head_part(const AttentionArgs& args, const SegmentsView& side, const AttentionPair& pair, void* data,
             int64_t stride) {
  if (data == nullptr) return nullptr;
  return static_cast<T*>(data) + side.begin[pair.segment] * stride + pair.head * args.head_dim;
}
template <class T>
const T* head_part(const AttentionArgs& args, const SegmentsView& side, const AttentionPair& pair,
                   const void* data, int64_t stride) {
  return head_part<T>(args, side, pair, const_cast<void*>(data), stride);
}

// Sizes of a pair's scratch matrices.
template <class T>
struct AttentionLayout {
  int64_t width, score_stride, block;  // padded head width, row stride of scores, queries in a block
  AttentionLayout(int64_t queries, int64_t keys, int64_t head_dim) {
    width = round_up(head_dim, kGemmLanes<T>);
    score_stride = scratch_stride<T>(keys);
    block = kBlockBytes / static_cast<int64_t>(sizeof(T)) / score_stride;
    block = block > kBlockRows ? kBlockRows : block < 12 ? 12 : block;
    if (queries > 0) {  // blocks of equal size
      const int64_t blocks = (queries + block - 1) / block;
      block = (queries + blocks - 1) / blocks;
    }
  }
};

// Hands out pieces of one scratch buffer, each on a cache line of its own. Without memory it only counts.
template <class T>
struct Arena {
  T* memory;
  int64_t used = 0;
  T* take(int64_t elements) {
    T* piece = memory == nullptr ? nullptr : memory + used;
    used += round_up(elements, 64 / sizeof(T));
    return piece;
  }
};

// Philox makes this many blocks of eight draws, four words, in one go.
constexpr int64_t kDrawBlocks = kVectorBytes >= 32 ? kVectorBytes / 8 : 1;
constexpr int64_t draw_count(int64_t keys) { return round_up(keys, 8 * kDrawBlocks); }
constexpr int64_t draw_words(int64_t keys) { return draw_count(keys) + draw_count(keys) / 2; }

// Half a word: the low one comes first in memory.
using Draw16 = uint16_t __attribute__((may_alias));
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the order of draws in a word");

// Dropout draws of the queries of a block.
struct DropoutRows {
  const DropoutSpec& spec;
  uint32_t example, head;
  int64_t first;  // position of the block's first query

  DropoutRows(const AttentionArgs& args, int64_t segment, int64_t of_head, int64_t position)
      : spec(args.dropout),
        example(static_cast<uint32_t>(args.queries.example[segment])),
        head(static_cast<uint32_t>(of_head)),
        first(position) {}

  // words [draw_words(keys)]: first one for each key, widened so that loops over floats keep their full
  // vectors; behind them the halves as they were drawn.
  void draw(int64_t row, int64_t keys, uint32_t* words) const {
    const int64_t n = draw_count(keys);
    philox_run(example, static_cast<uint32_t>(first + row), 0, head + 1, spec.key, n / 8, words + n);
    const Draw16* halves = reinterpret_cast<const Draw16*>(words + n);
#pragma omp simd
    for (int64_t j = 0; j < n; ++j) words[j] = halves[j];
  }
};

}  // namespace SESAME_ISA
}  // namespace sesame::cpu
