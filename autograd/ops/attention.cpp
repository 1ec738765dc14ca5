#include "autograd/ops/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "autograd/ops/matmul.h"
#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/rows.h"
#include "autograd/ops/softmax.h"
#include "autograd/random.h"

namespace sesame {
namespace {

// A row range that belongs to a segment.
struct RowRange {
  std::int64_t begin, end, segment;
};

// The first two segments that have a row in common, or (-1, -1).
std::pair<std::int64_t, std::int64_t> find_overlap(const Segments& segments) {
  std::vector<RowRange> ranges;
  ranges.reserve(static_cast<std::size_t>(segments.count()));
  for (std::int64_t i = 0; i < segments.count(); ++i) {
    const std::int64_t begin = segments.begin(i), length = segments.length(i);
    if (length > 0) ranges.push_back({begin, begin + length, i});
  }
  const auto earlier = [](const RowRange& a, const RowRange& b) { return a.begin < b.begin; };
  if (!std::is_sorted(ranges.begin(), ranges.end(), earlier))
    std::stable_sort(ranges.begin(), ranges.end(), earlier);
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].begin < ranges[i - 1].end) return {ranges[i - 1].segment, ranges[i].segment};
  }
  return {-1, -1};
}

void check_segments(const char* op, const char* name, const Tensor& x, const Segments& segments) {
  SESAME_CHECK(segments.device() == x.device(), op, "{} lies on {}, its segments on {}: move them with to()",
               name, x.device().name(), segments.device().name());
  for (std::int64_t i = 0; i < segments.count(); ++i) {
    const std::int64_t length = segments.length(i), end = segments.begin(i) + length;
    SESAME_CHECK(length == 0 || end <= x.size(0), op, "segment {} of {} is rows {} to {}, {} has {} rows", i,
                 name, end - length, end, name, x.size(0));
  }
}

// Shape rules of one side: rows [T, heads * head_dim].
void check_rows(const char* op, const char* name, const Tensor& x, std::int64_t heads) {
  check_floating(op, name, x);
  SESAME_CHECK(x.dim() == 2, op, "{} must be [rows, heads * head width], got {}", name, x.shape());
  SESAME_CHECK(heads >= 1, op, "the number of heads must be positive, got {}", heads);
  SESAME_CHECK(x.size(1) % heads == 0 && x.size(1) > 0, op, "{} of width {} cannot be divided into {} heads",
               name, x.size(1), heads);
}

void check_pairing(const char* op, const Segments& queries, const Segments& keys, AttentionPattern pattern) {
  SESAME_CHECK(queries.count() == keys.count(), op, "{} query segments and {} key segments: must be as many",
               queries.count(), keys.count());
  if (pattern == AttentionPattern::Bidirectional) return;
  for (std::int64_t i = 0; i < queries.count(); ++i) {
    SESAME_CHECK(
        queries.length(i) <= keys.length(i), op,
        "segment {} has {} queries and {} keys: queries are the last positions of their keys, so there "
        "cannot be more of them (only the bidirectional pattern allows that)",
        i, queries.length(i), keys.length(i));
  }
}

void check_arguments(const Tensor& q, const Tensor& k, const Tensor& v, const Segments& queries,
                     const Segments& keys, const AttentionOptions& options) {
  check_rows("attention", "q", q, options.heads);
  check_rows("attention", "k", k, options.heads);
  check_floating("attention", "v", v);
  check_same_kind("attention", q, k);
  check_same_kind("attention", k, v);
  SESAME_CHECK(q.size(1) == k.size(1) && k.shape() == v.shape(), "attention",
               "q and k must have one width and k and v one shape, got q {}, k {}, v {}", q.shape(),
               k.shape(), v.shape());
  check_pairing("attention", queries, keys, options.pattern);
  check_segments("attention", "q", q, queries);
  check_segments("attention", "k", k, keys);
}

void check_queries_apart(const char* op, const Segments& queries) {
  const auto [a, b] = find_overlap(queries);
  SESAME_CHECK(a < 0, op, "query segments {} and {} have rows in common: each row has one output", a, b);
}

double scale_of(const AttentionOptions& options, std::int64_t head_dim) {
  return options.scale != 0 ? options.scale : 1.0 / std::sqrt(static_cast<double>(head_dim));
}

// Rows for a kernel: any row stride, columns side by side.
Tensor kernel_rows(const Tensor& x) {
  const Tensor rows = x.detach();
  return rows.strides()[1] == 1 || rows.size(1) <= 1 ? rows : rows.contiguous();
}

// Rows for results: zeros where segments leave gaps, uninitialised where every row is written.
Tensor result_rows(const Shape& shape, TensorOptions options, bool covered) {
  return covered ? Tensor::empty(shape, options) : Tensor::zeros(shape, options);
}

// Three matrices side by side as kernels see them, whether they are three tensors or parts of one.
struct Sides {
  Tensor q, k, v;
};

Sides split(const Tensor& qkv) {
  const std::int64_t width = qkv.size(1) / 3;
  return {qkv.slice(1, 0, width), qkv.slice(1, width, 2 * width), qkv.slice(1, 2 * width, 3 * width)};
}

AttentionArgs make_args(const Sides& x, const Tensor& out, const Tensor& lse, const Segments& queries,
                        const Segments& keys, const AttentionOptions& options) {
  AttentionArgs args;
  args.dtype = x.q.dtype();
  args.pattern = options.pattern;
  args.heads = options.heads;
  args.head_dim = x.q.size(1) / options.heads;
  args.scale = scale_of(options, args.head_dim);
  args.dropout = options.dropout;
  args.queries = queries.view();
  args.keys = keys.view();
  args.query_rows = x.q.size(0);
  args.q = x.q.view().data;
  args.k = x.k.view().data;
  args.v = x.v.view().data;
  args.q_stride = x.q.strides()[0];
  args.k_stride = x.k.strides()[0];
  args.v_stride = x.v.strides()[0];
  args.out = out.view().data;
  args.out_stride = out.strides()[0];
  args.lse = lse.defined() ? lse.view().data : nullptr;
  return args;
}

// Gradients may be undefined: not wanted.
void run_backward(const AttentionArgs& forward, const Tensor& d_out, const Sides& gradients,
                  bool shared_keys) {
  AttentionBackwardArgs args;
  args.forward = forward;
  args.d_out = d_out.view().data;
  args.d_out_stride = d_out.strides()[0];
  args.shared_keys = shared_keys;
  const auto set = [](const Tensor& x, void*& data, std::int64_t& stride) {
    if (!x.defined()) return;
    data = x.view().data;
    stride = x.strides()[0];
  };
  set(gradients.q, args.dq, args.dq_stride);
  set(gradients.k, args.dk, args.dk_stride);
  set(gradients.v, args.dv, args.dv_stride);
  kernel("attention", d_out, &KernelTable::attention_backward)(args);
}

}  // namespace

// out_i = sum_j P_ij v_j, P = dropout(softmax(scale q k^T)). With dP_ij = dout_i . v_j times the dropout
// factor: dS = P (dP - sum_j P dP), dq = scale dS k, dk = scale dS^T q, dv = dropout(P)^T dout.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Segments& queries,
                 const Segments& keys, const AttentionOptions& options) {
  check_arguments(q, k, v, queries, keys, options);
  check_queries_apart("attention", queries);
  const bool covered = queries.cover(q.size(0));
  const Sides x = {kernel_rows(q), kernel_rows(k), kernel_rows(v)};
  const Tensor out = result_rows(q.shape(), q.options(), covered);
  Tensor lse;
  if (will_record({q, k, v})) lse = Tensor::empty({q.size(0), options.heads}, statistics_of(q));
  kernel("attention", q, &KernelTable::attention)(make_args(x, out, lse, queries, keys, options));
  return record("attention", out, {q, k, v}, {x.q, x.k, x.v, out, lse}, [=](Backward& b) {
    const Sides saved = {b.saved(0), b.saved(1), b.saved(2)};
    // Beams share the keys of their source: then the kernel adds to zeros.
    const bool shared = find_overlap(keys).first >= 0;
    const bool keys_covered = !shared && keys.cover(saved.k.size(0));
    Sides gradients;
    if (b.wanted(0)) gradients.q = result_rows(saved.q.shape(), saved.q.options(), covered);
    if (b.wanted(1)) gradients.k = result_rows(saved.k.shape(), saved.k.options(), keys_covered);
    if (b.wanted(2)) gradients.v = result_rows(saved.v.shape(), saved.v.options(), keys_covered);
    run_backward(make_args(saved, b.saved(3), b.saved(4), queries, keys, options), b.grad(), gradients,
                 shared);
    if (b.wanted(0)) b.give(0, gradients.q);
    if (b.wanted(1)) b.give(1, gradients.k);
    if (b.wanted(2)) b.give(2, gradients.v);
  });
}

// The same on qkv = [q, k, v]; the three gradients are written side by side into one tensor.
Tensor self_attention(const Tensor& qkv, const Segments& segments, const AttentionOptions& options) {
  check_floating("self_attention", "qkv", qkv);
  SESAME_CHECK(
      qkv.dim() == 2 && options.heads >= 1 && qkv.size(1) > 0 && qkv.size(1) % (3 * options.heads) == 0,
      "self_attention", "qkv must be [rows, 3 * heads * head width] with {} heads, got {}", options.heads,
      qkv.shape());
  check_segments("self_attention", "qkv", qkv, segments);
  check_queries_apart("self_attention", segments);
  const bool covered = segments.cover(qkv.size(0));
  const Tensor rows = kernel_rows(qkv);
  const Tensor out = result_rows({qkv.size(0), qkv.size(1) / 3}, qkv.options(), covered);
  Tensor lse;
  if (will_record({qkv})) lse = Tensor::empty({qkv.size(0), options.heads}, statistics_of(qkv));
  kernel("self_attention", qkv,
         &KernelTable::attention)(make_args(split(rows), out, lse, segments, segments, options));
  return record("self_attention", out, {qkv}, {rows, out, lse}, [=](Backward& b) {
    const Tensor d_qkv = result_rows(b.saved(0).shape(), b.saved(0).options(), covered);
    const AttentionArgs forward =
        make_args(split(b.saved(0)), b.saved(1), b.saved(2), segments, segments, options);
    run_backward(forward, b.grad(), split(d_qkv), false);
    b.give(0, d_qkv);
  });
}

namespace {

// One pair of a query and a key segment, seen from the host.
struct Pair {
  std::int64_t queries, keys, prefix, example;
  std::int64_t first;  // position of the first query among the keys
};

// [queries, keys]: 0 where query i sees key j, else a number that softmax turns into 0.
Tensor hidden_keys(const Pair& pair, AttentionPattern pattern, TensorOptions options) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < pair.queries; ++i) {
    const std::int64_t position = pair.first + i;
    for (std::int64_t j = 0; j < pair.keys; ++j) {
      const bool source = pattern == AttentionPattern::Prefix && position < pair.prefix && j < pair.prefix;
      values.push_back(source || j <= position ? 0.0 : -1e30);
    }
  }
  return Tensor::from(values, {pair.queries, pair.keys}).to(options.dtype).to(options.device);
}

// [queries, keys] of one head: 0 or the scale (kernel_table.h says how it is drawn).
Tensor dropout_factors(const Pair& pair, std::int64_t head, const DropoutSpec& spec, TensorOptions options) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < pair.queries; ++i) {
    for (std::int64_t j = 0; j < pair.keys; ++j) {
      const std::array<std::uint32_t, 4> words =
          philox({static_cast<std::uint32_t>(pair.example), static_cast<std::uint32_t>(pair.first + i),
                  static_cast<std::uint32_t>(j / 8), static_cast<std::uint32_t>(head + 1)},
                 spec.key);
      const std::uint32_t word = words[static_cast<std::size_t>(j % 8 / 2)];
      const std::uint32_t draw = j % 2 == 0 ? word & 0xFFFF : word >> 16;
      values.push_back(draw >= spec.threshold16 ? static_cast<double>(spec.scale16) : 0);
    }
  }
  return Tensor::from(values, {pair.queries, pair.keys}).to(options.dtype).to(options.device);
}

// softmax(scale q k^T) v of one pair and head: q [Lq, d], k and v [Lk, d] -> [Lq, d].
Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Pair& pair, std::int64_t head,
              const AttentionOptions& options) {
  Tensor scores = affine(matmul(q, k.transpose(0, 1)), scale_of(options, q.size(1)), 0);
  if (options.pattern != AttentionPattern::Bidirectional) {
    scores = add(scores, hidden_keys(pair, options.pattern, q.options()));
  }
  Tensor weights = softmax(scores);
  if (options.dropout.active())
    weights = mul(weights, dropout_factors(pair, head, options.dropout, q.options()));
  return matmul(weights, v);
}

}  // namespace

Tensor attention_composed(const Tensor& q, const Tensor& k, const Tensor& v, const Segments& queries,
                          const Segments& keys, const AttentionOptions& options) {
  check_arguments(q, k, v, queries, keys, options);
  check_queries_apart("attention_composed", queries);
  const std::int64_t d = q.size(1) / options.heads;
  const Segments query_side = queries.to(Device{}), key_side = keys.to(Device{});
  std::vector<Tensor> parts = {q.slice(0, 0, 0)};
  std::vector<std::int64_t> rows;
  for (std::int64_t s = 0; s < queries.count(); ++s) {
    Pair pair = {queries.length(s), keys.length(s), key_side.view().prefix[s], query_side.view().example[s],
                 0};
    if (pair.queries == 0 || pair.keys == 0) continue;
    if (options.pattern != AttentionPattern::Bidirectional) pair.first = pair.keys - pair.queries;
    const std::int64_t from = queries.begin(s), key_from = keys.begin(s);
    std::vector<Tensor> heads;
    for (std::int64_t h = 0; h < options.heads; ++h) {
      const auto head_of = [&](const Tensor& x, std::int64_t begin, std::int64_t length) {
        return x.slice(0, begin, begin + length).slice(1, h * d, (h + 1) * d);
      };
      heads.push_back(attend(head_of(q, from, pair.queries), head_of(k, key_from, pair.keys),
                             head_of(v, key_from, pair.keys), pair, h, options));
    }
    parts.push_back(concat(heads, 1));
    for (std::int64_t i = 0; i < pair.queries; ++i) rows.push_back(from + i);
  }
  return scatter_rows(concat(parts, 0), Tensor::from(rows, q.device()), q.size(0));
}

}  // namespace sesame
