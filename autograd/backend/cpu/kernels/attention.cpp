// Packed attention. Work is cut into pairs of (segment, head). A pair packs its keys once, then takes blocks
// of queries, whose scores stay in the cache: S = Q K^T, softmax, O = P V. The backward pass makes S again,
// takes P = exp(S - lse), and never sees more than a block of it either (the idea of FlashAttention, Dao et
// al. 2022).
#include "autograd/backend/cpu/kernels/attention_pair.h"
#include "autograd/backend/cpu/kernels/isa.h"
#include "autograd/backend/cpu/kernels/small_gemm.h"
#include "autograd/backend/cpu/kernels/vmath.h"

SESAME_KERNELS_BEGIN

namespace {

constexpr double kHidden = -1e30;  // a score that becomes 0

// Scores [n], n whole vectors, become exp(s - max); returns their sum and the maximum.
template <class T>
T exp_row(T* s, int64_t n, T* maximum) {
  using V = Vector<T>;
  V highs = *reinterpret_cast<const V*>(s), sums = {};
  for (int64_t j = kGemmLanes<T>; j < n; j += kGemmLanes<T>) {
    const V x = *reinterpret_cast<const V*>(s + j);
    highs = x > highs ? x : highs;
  }
  const T high = max_lanes<T>(highs);
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) s[j] = vexp(s[j] - high);
  for (int64_t j = 0; j < n; j += kGemmLanes<T>) sums += *reinterpret_cast<const V*>(s + j);
  *maximum = high;
  return sum_lanes<T>(sums);
}

template <class T>
void fill_between(T* s, int64_t begin, int64_t end, T value) {
  for (int64_t j = begin; j < end; ++j) s[j] = value;
}

template <class T>
void drop_row(T* s, const uint32_t* words, uint32_t threshold, int64_t n) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) s[j] = words[j] >= threshold ? s[j] : T(0);
}

// --- forward -------------------------------------------------------------------------------------

template <class T>
struct ForwardScratch {
  T *keys, *values, *scores, *out;
  uint32_t* words;
  int64_t bytes;
  ForwardScratch(T* memory, const AttentionLayout<T>& layout, int64_t keys_count, int64_t head_dim) {
    Arena<T> arena{memory};
    keys = arena.take(head_dim * layout.score_stride);
    values = arena.take(keys_count * layout.width);
    scores = arena.take(layout.block * layout.score_stride);
    out = arena.take(layout.block * layout.width);
    words = reinterpret_cast<uint32_t*>(arena.take(draw_words(layout.score_stride)));
    bytes = arena.used * static_cast<int64_t>(sizeof(T));
  }
};

template <class T>
void clear_rows(T* out, int64_t stride, int64_t n, int64_t d) {
  for (int64_t i = 0; i < n; ++i) memset(out + i * stride, 0, static_cast<size_t>(d) * sizeof(T));
}

// Scores of a block become exponentials, dropped where the draws say so; factors[i] is what row i of the
// product with the values is multiplied by.
template <class T>
void softmax_block(const AttentionArgs& args, const AttentionPair& pair, const AttentionLayout<T>& layout,
                   const ForwardScratch<T>& to, int64_t begin, int64_t rows, int64_t keys, T* factors) {
  const DropoutRows dropout(args, pair.segment, pair.head, pair.first + begin);
  const bool drops = args.dropout.active();
  T highs[kBlockRows], sums[kBlockRows];
  // What lies behind a row's last key is written in loops of its own: a vector load right behind such short
  // stores would have to wait for them.
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t seen = pair.visible(begin + i);
    fill_between(to.scores + i * layout.score_stride, seen, round_up(seen, kGemmLanes<T>),
                 static_cast<T>(kHidden));
  }
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t whole = round_up(pair.visible(begin + i), kGemmLanes<T>);
    sums[i] = exp_row(to.scores + i * layout.score_stride, whole, &highs[i]);
  }
  for (int64_t i = 0; i < rows; ++i) {
    fill_between(to.scores + i * layout.score_stride, pair.visible(begin + i), keys, T(0));
  }
  for (int64_t i = 0; drops && i < rows; ++i) {
    const int64_t seen = pair.visible(begin + i);
    dropout.draw(i, seen, to.words);
    drop_row(to.scores + i * layout.score_stride, to.words, args.dropout.threshold16,
             round_up(seen, kGemmLanes<T>));
  }
  const T kept = drops ? static_cast<T>(args.dropout.scale16) : T(1);
#pragma omp simd
  for (int64_t i = 0; i < rows; ++i) {
    factors[i] = kept / sums[i];
    highs[i] += vlog(sums[i]);
  }
  if (args.lse == nullptr) return;
  T* lse = static_cast<T*>(args.lse) + (args.queries.begin[pair.segment] + begin) * args.heads + pair.head;
  for (int64_t i = 0; i < rows; ++i) lse[i * args.heads] = highs[i];
}

template <class T>
void forward_block(const AttentionArgs& args, const AttentionPair& pair, const AttentionLayout<T>& layout,
                   const ForwardScratch<T>& to, int64_t begin, int64_t rows) {
  const int64_t d = args.head_dim, stride = layout.score_stride, width = layout.width;
  const int64_t keys = pair.visible(begin + rows - 1);
  const T* q = head_part<T>(args, args.queries, pair, args.q, args.q_stride) + begin * args.q_stride;
  T* out = head_part<T>(args, args.queries, pair, args.out, args.out_stride) + begin * args.out_stride;
  T factors[kBlockRows];
  small_gemm<T, false>(q, args.q_stride, to.keys, stride, to.scores, stride, rows,
                       round_up(keys, kGemmLanes<T>), d, false);
  softmax_block(args, pair, layout, to, begin, rows, keys, factors);
  small_gemm<T, false>(to.scores, stride, to.values, width, to.out, width, rows, width, keys, false);
  for (int64_t i = 0; i < rows; ++i) {
    prefetch_next(q + i * args.q_stride, d);
    prefetch_next(out + i * args.out_stride, d);
    const T factor = factors[i];
    const T* row = to.out + i * width;
#pragma omp simd
    for (int64_t c = 0; c < d; ++c) out[i * args.out_stride + c] = factor * row[c];
  }
}

template <class T>
void forward_pair(const AttentionArgs& args, int64_t segment, int64_t head) {
  const AttentionPair pair = make_attention_pair(args, segment, head);
  if (pair.queries == 0) return;
  const int64_t d = args.head_dim;
  if (pair.keys == 0) {
    clear_rows(head_part<T>(args, args.queries, pair, args.out, args.out_stride), args.out_stride,
               pair.queries, d);
    T* lse = static_cast<T*>(args.lse);
    if (lse == nullptr) return;
    for (int64_t i = 0; i < pair.queries; ++i) lse[(args.queries.begin[segment] + i) * args.heads + head] = 0;
    return;
  }
  const AttentionLayout<T> layout(pair.queries, pair.keys, d);
  const int64_t bytes = ForwardScratch<T>(nullptr, layout, pair.keys, d).bytes;
  const ForwardScratch<T> to(static_cast<T*>(scratch(0, static_cast<size_t>(bytes))), layout, pair.keys, d);
  const T* k = head_part<T>(args, args.keys, pair, args.k, args.k_stride);
  const T* v = head_part<T>(args, args.keys, pair, args.v, args.v_stride);
  pack_transposed(to.keys, layout.score_stride, round_up(pair.keys, kGemmLanes<T>), k, args.k_stride,
                  pair.keys, d, static_cast<T>(args.scale));
  pack_rows(to.values, layout.width, v, args.v_stride, pair.keys, d);
  for (int64_t begin = 0; begin < pair.queries; begin += layout.block) {
    const int64_t left = pair.queries - begin;
    forward_block(args, pair, layout, to, begin, left < layout.block ? left : layout.block);
  }
}

// --- backward ------------------------------------------------------------------------------------

template <class T>
struct BackwardScratch {
  T *keys_t, *values_t, *keys, *q, *d_out, *scores, *d_scores, *dq, *dk, *dv;
  uint32_t* words;
  int64_t bytes;
  BackwardScratch(T* memory, const AttentionLayout<T>& layout, int64_t keys_count, int64_t head_dim) {
    Arena<T> arena{memory};
    keys_t = arena.take(head_dim * layout.score_stride);
    values_t = arena.take(head_dim * layout.score_stride);
    keys = arena.take(keys_count * layout.width);
    dk = arena.take(keys_count * layout.width);
    dv = arena.take(keys_count * layout.width);
    q = arena.take(layout.block * layout.width);
    d_out = arena.take(layout.block * layout.width);
    dq = arena.take(layout.block * layout.width);
    scores = arena.take(layout.block * layout.score_stride);
    d_scores = arena.take(layout.block * layout.score_stride);
    words = reinterpret_cast<uint32_t*>(arena.take(draw_words(layout.score_stride)));
    bytes = arena.used * static_cast<int64_t>(sizeof(T));
  }
};

// s: scores -> dropped probabilities; ds: d(probabilities after dropout) -> d scores times `scale`. With P
// the softmax, M the dropout factors and D = dO . O = sum_j P M dP:  dS = P (M dP - D).
template <class T>
void gradient_row(T* s, T* ds, int64_t n, T lse, T delta, T scale) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) {
    const T p = vexp(s[j] - lse);
    s[j] = p;
    ds[j] = scale * p * (ds[j] - delta);
  }
}
template <class T>
void gradient_row_dropout(T* s, T* ds, int64_t n, T lse, T delta, T scale, const uint32_t* words,
                          uint32_t threshold, T kept) {
#pragma omp simd
  for (int64_t j = 0; j < n; ++j) {
    const T p = vexp(s[j] - lse), factor = words[j] >= threshold ? kept : T(0);
    s[j] = p * factor;
    ds[j] = scale * p * (factor * ds[j] - delta);
  }
}

template <class T>
T dot(const T* a, const T* b, int64_t n) {
  using V = Vector<T>;
  V sums = {};
  int64_t i = 0;
  for (; i + kGemmLanes<T> <= n; i += kGemmLanes<T>) {
    sums += *reinterpret_cast<const V*>(a + i) * *reinterpret_cast<const V*>(b + i);
  }
  T sum = sum_lanes<T>(sums);
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// Probabilities of a block and the gradients of its scores, from scores and d_out V^T.
template <class T>
void gradient_block(const AttentionArgs& args, const AttentionPair& pair, const AttentionLayout<T>& layout,
                    const BackwardScratch<T>& to, int64_t begin, int64_t rows, int64_t keys) {
  const T* out = head_part<T>(args, args.queries, pair, args.out, args.out_stride) + begin * args.out_stride;
  const T* lse =
      static_cast<const T*>(args.lse) + (args.queries.begin[pair.segment] + begin) * args.heads + pair.head;
  const T scale = static_cast<T>(args.scale);
  const DropoutRows dropout(args, pair.segment, pair.head, pair.first + begin);
  for (int64_t i = 0; i < rows; ++i) {
    T* s = to.scores + i * layout.score_stride;
    T* ds = to.d_scores + i * layout.score_stride;
    const int64_t seen = pair.visible(begin + i), whole = round_up(seen, kGemmLanes<T>);
    prefetch_next(out + i * args.out_stride, args.head_dim);
    const T delta = dot(out + i * args.out_stride, to.d_out + i * layout.width, args.head_dim);
    const T normal = lse[i * args.heads];
    if (args.dropout.active()) {
      dropout.draw(i, whole, to.words);
      gradient_row_dropout(s, ds, whole, normal, delta, scale, to.words, args.dropout.threshold16,
                           static_cast<T>(args.dropout.scale16));
    } else {
      gradient_row(s, ds, whole, normal, delta, scale);
    }
    for (int64_t j = seen; j < keys; ++j) s[j] = ds[j] = 0;
  }
}

template <class T>
void backward_block(const AttentionBackwardArgs& args, const AttentionPair& pair,
                    const AttentionLayout<T>& layout, const BackwardScratch<T>& to, int64_t begin,
                    int64_t rows) {
  const AttentionArgs& forward = args.forward;
  const int64_t d = forward.head_dim, stride = layout.score_stride, width = layout.width;
  const int64_t keys = pair.visible(begin + rows - 1), padded = round_up(keys, kGemmLanes<T>);
  const T* q =
      head_part<T>(forward, forward.queries, pair, forward.q, forward.q_stride) + begin * forward.q_stride;
  const T* d_out =
      head_part<T>(forward, forward.queries, pair, args.d_out, args.d_out_stride) + begin * args.d_out_stride;
  pack_rows(to.q, width, q, forward.q_stride, rows, d);
  pack_rows(to.d_out, width, d_out, args.d_out_stride, rows, d);
  small_gemm<T, false>(to.q, width, to.keys_t, stride, to.scores, stride, rows, padded, d, false);
  small_gemm<T, false>(to.d_out, width, to.values_t, stride, to.d_scores, stride, rows, padded, d, false);
  gradient_block(forward, pair, layout, to, begin, rows, keys);
  const bool add = begin > 0;
  if (args.dv != nullptr) {
    small_gemm<T, true>(to.scores, stride, to.d_out, width, to.dv, width, keys, width, rows, add);
  }
  if (args.dk != nullptr) {
    small_gemm<T, true>(to.d_scores, stride, to.q, width, to.dk, width, keys, width, rows, add);
  }
  if (args.dq == nullptr) return;
  small_gemm<T, false>(to.d_scores, stride, to.keys, width, to.dq, width, rows, width, keys, false);
  T* dq = head_part<T>(forward, forward.queries, pair, args.dq, args.dq_stride) + begin * args.dq_stride;
  for (int64_t i = 0; i < rows; ++i) {
    prefetch_next(dq + i * args.dq_stride, d);
    memcpy(dq + i * args.dq_stride, to.dq + i * width, static_cast<size_t>(d) * sizeof(T));
  }
}

// Writes or adds a pair's key or value gradient.
template <class T>
void store_gradient(T* out, int64_t stride, const T* x, int64_t width, int64_t n, int64_t d, bool add) {
  for (int64_t i = 0; i < n; ++i) {
    T* row = out + i * stride;
    const T* from = x + i * width;
    prefetch_next(row, d);
    if (add) {
#pragma omp simd
      for (int64_t c = 0; c < d; ++c) row[c] += from[c];
    } else {
      memcpy(row, from, static_cast<size_t>(d) * sizeof(T));
    }
  }
}

template <class T>
void backward_pair(const AttentionBackwardArgs& args, int64_t segment, int64_t head) {
  const AttentionArgs& forward = args.forward;
  const AttentionPair pair = make_attention_pair(forward, segment, head);
  const int64_t d = forward.head_dim;
  T* dq = head_part<T>(forward, forward.queries, pair, args.dq, args.dq_stride);
  T* dk = head_part<T>(forward, forward.keys, pair, args.dk, args.dk_stride);
  T* dv = head_part<T>(forward, forward.keys, pair, args.dv, args.dv_stride);
  if (pair.queries == 0 || pair.keys == 0) {
    if (dq != nullptr) clear_rows(dq, args.dq_stride, pair.queries, d);
    if (dk != nullptr && !args.shared_keys) clear_rows(dk, args.dk_stride, pair.keys, d);
    if (dv != nullptr && !args.shared_keys) clear_rows(dv, args.dv_stride, pair.keys, d);
    return;
  }
  const AttentionLayout<T> layout(pair.queries, pair.keys, d);
  const int64_t bytes = BackwardScratch<T>(nullptr, layout, pair.keys, d).bytes;
  const BackwardScratch<T> to(static_cast<T*>(scratch(0, static_cast<size_t>(bytes))), layout, pair.keys, d);
  const T* k = head_part<T>(forward, forward.keys, pair, forward.k, forward.k_stride);
  const T* v = head_part<T>(forward, forward.keys, pair, forward.v, forward.v_stride);
  const int64_t padded = round_up(pair.keys, kGemmLanes<T>);
  pack_transposed(to.keys_t, layout.score_stride, padded, k, forward.k_stride, pair.keys, d,
                  static_cast<T>(forward.scale));
  pack_transposed(to.values_t, layout.score_stride, padded, v, forward.v_stride, pair.keys, d, T(1));
  if (dq != nullptr) pack_rows(to.keys, layout.width, k, forward.k_stride, pair.keys, d);
  // The first block writes the gradients of the keys that it sees, later ones add.
  const int64_t written = pair.visible((layout.block < pair.queries ? layout.block : pair.queries) - 1);
  const size_t rest = static_cast<size_t>((pair.keys - written) * layout.width) * sizeof(T);
  memset(to.dk + written * layout.width, 0, rest);
  memset(to.dv + written * layout.width, 0, rest);
  for (int64_t begin = 0; begin < pair.queries; begin += layout.block) {
    const int64_t left = pair.queries - begin;
    backward_block(args, pair, layout, to, begin, left < layout.block ? left : layout.block);
  }
  if (dk != nullptr) store_gradient(dk, args.dk_stride, to.dk, layout.width, pair.keys, d, args.shared_keys);
  if (dv != nullptr) store_gradient(dv, args.dv_stride, to.dv, layout.width, pair.keys, d, args.shared_keys);
}

// --- sharing the work ----------------------------------------------------------------------------

// Cost of a segment for one head, in rough units of a score.
int64_t segment_cost(const AttentionArgs& args, int64_t segment) {
  const int64_t queries = args.queries.length[segment], keys = args.keys.length[segment];
  return queries * keys + 16 * (queries + keys);
}

int64_t total_cost(const AttentionArgs& args) {
  int64_t cost = 0;
  for (int64_t s = 0; s < args.queries.count; ++s) cost += segment_cost(args, s);
  return cost * args.heads;
}

bool worth_threads(const AttentionArgs& args, int64_t cost) {
  return cost * args.head_dim > 4 * kParallelGrain;
}

// Runs pair(segment, head) for all pairs. Each thread takes a run of equal cost, the same in every call.
// Pairs never write to the same place, except heads of segments that share keys: then threads divide the
// heads.
template <class Args, class Function>
void run_pairs(const AttentionArgs& args, bool by_head, const Args& all, Function pair) {
  const int64_t total = total_cost(args);
#pragma omp parallel if (worth_threads(args, total))
  {
    if (by_head) {
      const Range share = thread_share(args.heads);
      for (int64_t h = share.begin; h < share.end; ++h) {
        for (int64_t s = 0; s < args.queries.count; ++s) pair(all, s, h);
      }
    } else {
      const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
      const int64_t begin = total / threads * thread,
                    end = thread + 1 == threads ? total + 1 : begin + total / threads;
      int64_t done = 0;
      for (int64_t s = 0; s < args.queries.count; ++s) {
        const int64_t cost = segment_cost(args, s);
        for (int64_t h = 0; h < args.heads; ++h) {
          const int64_t middle = done + cost / 2;
          if (begin <= middle && middle < end) pair(all, s, h);
          done += cost;
        }
      }
    }
  }
}

void attention(const AttentionArgs& args) {
  SESAME_FLOAT_TYPES("attention", args.dtype, run_pairs(args, false, args, forward_pair<T>))
}

void attention_backward(const AttentionBackwardArgs& args) {
  SESAME_FLOAT_TYPES("attention_backward", args.forward.dtype,
                     run_pairs(args.forward, args.shared_keys, args, backward_pair<T>))
}

}  // namespace

void fill_attention(KernelTable& table) {
  table.attention = attention;
  table.attention_backward = attention_backward;
}

SESAME_KERNELS_END
