#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "autograd/backend/cpu/host.h"
#include "autograd/ops/attention.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Sizes = std::vector<std::int64_t>;

constexpr auto kBidirectional = AttentionPattern::Bidirectional;
constexpr auto kCausal = AttentionPattern::Causal;
constexpr auto kPrefix = AttentionPattern::Prefix;

// What distinguishes one row of the table; keys empty: self-attention on the query segments.
struct Setup {
  const char* what;
  AttentionPattern pattern;
  std::int64_t heads, head_dim;
  Sizes queries, keys = {};
  double dropout = 0, scale = 0;
  Sizes query_begins = {}, key_begins = {}, prefixes = {}, examples = {};
  std::int64_t spare_rows = 0;  // rows behind the last segment
  std::int64_t key_rows = -1;   // default: where the key segments end, plus spare_rows
};

struct Layouts {
  Segments queries, keys;
  AttentionOptions options;
  std::int64_t query_rows, key_rows;
};

Layouts layouts(const Setup& s) {
  SegmentsOptions q, k;
  q.begins = s.query_begins;
  q.examples = k.examples = s.examples;
  k.begins = s.keys.empty() ? s.query_begins : s.key_begins;
  k.prefixes = s.prefixes;
  Layouts l;
  l.queries = Segments(s.queries, q);
  l.keys = Segments(s.keys.empty() ? s.queries : s.keys, k);
  l.options.heads = s.heads;
  l.options.pattern = s.pattern;
  l.options.scale = s.scale;
  if (s.dropout > 0) l.options.dropout = make_dropout(s.dropout, 0x123456789ABCDEFu);
  l.query_rows = l.queries.end() + s.spare_rows;
  l.key_rows = s.key_rows >= 0 ? s.key_rows : l.keys.end() + s.spare_rows;
  return l;
}

OpCase make_case(const Setup& s) {
  const Layouts l = layouts(s);
  const std::int64_t width = s.heads * s.head_dim;
  OpCase row;
  row.op = "attention";
  row.what = s.what;
  row.inputs = [=](Draw& draw) {
    return Inputs{draw.normal({l.query_rows, width}), draw.normal({l.key_rows, width}),
                  draw.normal({l.key_rows, width})};
  };
  row.function = [=](const Inputs& x) {
    const Device device = x[0].device();
    return attention(x[0], x[1], x[2], l.queries.to(device), l.keys.to(device), l.options);
  };
  row.twin = [=](const Inputs& x) {
    return attention_composed(x[0], x[1], x[2], l.queries, l.keys, l.options);
  };
  row.zero_inputs = [=](Draw& draw) {
    return Inputs{draw.normal({0, width}), draw.normal({0, width}), draw.normal({0, width})};
  };
  row.zero_function = [=](const Inputs& x) {
    const Segments none({0, 0}, {.device = x[0].device()});
    return attention(x[0], x[1], x[2], none, none, l.options);
  };
  return row;
}

const Setup kSetups[] = {
    {"bidirectional", kBidirectional, 2, 5, {3, 1, 4}},
    {"causal", kCausal, 2, 5, {3, 1, 4}},
    {.what = "prefix",
     .pattern = kPrefix,
     .heads = 2,
     .head_dim = 5,
     .queries = {3, 1, 6},
     .prefixes = {2, 0, 3}},
    {.what = "prefix, whole source", .pattern = kPrefix, .heads = 1, .head_dim = 3, .queries = {3, 2}},
    {"head width 1", kBidirectional, 3, 1, {2, 5}},
    {"head width 32", kCausal, 2, 32, {3, 2}},
    {"head width 64", kBidirectional, 1, 64, {3, 2}},
    {"head width 64, dropout", kBidirectional, 1, 64, {3, 2}, {}, 0.3},
    {"17 keys", kCausal, 1, 4, {17}},
    {.what = "scale given",
     .pattern = kBidirectional,
     .heads = 2,
     .head_dim = 3,
     .queries = {4},
     .scale = 0.7},
    {.what = "negative scale", .pattern = kCausal, .heads = 2, .head_dim = 3, .queries = {4}, .scale = -1.5},
    {"cross", kBidirectional, 2, 4, {3, 2, 1}, {2, 5, 4}},
    {"cross, dropout", kBidirectional, 2, 4, {3, 2, 1}, {2, 5, 4}, 0.4},
    {"causal with more keys than queries", kCausal, 2, 4, {1, 2, 3}, {4, 2, 6}, 0.2},
    {.what = "prefix with more keys than queries",
     .pattern = kPrefix,
     .heads = 2,
     .head_dim = 4,
     .queries = {4, 2, 1},
     .keys = {6, 5, 3},
     .dropout = 0.2,
     .prefixes = {4, 1, 3}},
    {"empty segments", kBidirectional, 2, 3, {0, 2, 0, 3, 0}, {2, 0, 0, 2, 1}},
    {"empty segments, causal", kCausal, 2, 3, {0, 2, 0, 3}, {2, 2, 0, 4}, 0.25},
    {.what = "gaps and spare rows",
     .pattern = kBidirectional,
     .heads = 2,
     .head_dim = 3,
     .queries = {2, 3},
     .keys = {4, 2},
     .query_begins = {1, 5},
     .key_begins = {2, 7},
     .spare_rows = 2},
    {.what = "segments out of order",
     .pattern = kCausal,
     .heads = 2,
     .head_dim = 3,
     .queries = {2, 3},
     .keys = {4, 3},
     .query_begins = {3, 0},
     .key_begins = {5, 1},
     .spare_rows = 1},
    {.what = "shared keys",
     .pattern = kBidirectional,
     .heads = 3,
     .head_dim = 2,
     .queries = {2, 1, 2, 1},
     .keys = {3, 3, 2, 2},
     .dropout = 0.1,
     .key_begins = {0, 0, 1, 4},
     .spare_rows = 1},
    {.what = "dropout, examples named",
     .pattern = kPrefix,
     .heads = 2,
     .head_dim = 5,
     .queries = {3, 6},
     .dropout = 0.5,
     .prefixes = {2, 4},
     .examples = {70000, 3}},
};

std::vector<OpCase> attention_cases() {
  std::vector<OpCase> rows;
  for (const Setup& s : kSetups) rows.push_back(make_case(s));
  return rows;
}

// A row that calls self_attention on [q, k, v] side by side; its twin cuts them apart.
OpCase self_case(const Setup& s) {
  OpCase row = make_case(s);
  const Layouts l = layouts(s);
  const std::int64_t width = s.heads * s.head_dim;
  row.op = "self_attention";
  row.inputs = [=](Draw& draw) { return Inputs{draw.normal({l.query_rows, 3 * width})}; };
  row.function = [=](const Inputs& x) { return self_attention(x[0], l.keys.to(x[0].device()), l.options); };
  row.twin = [=](const Inputs& x) {
    return attention_composed(x[0].slice(1, 0, width), x[0].slice(1, width, 2 * width),
                              x[0].slice(1, 2 * width, 3 * width), l.queries, l.keys, l.options);
  };
  row.zero_inputs = [=](Draw& draw) { return Inputs{draw.normal({0, 3 * width})}; };
  row.zero_function = [=](const Inputs& x) {
    return self_attention(x[0], Segments(Sizes{}, {.device = x[0].device()}), l.options);
  };
  return row;
}

OpResult in_float32(const OpFunction& function, const Inputs& inputs) {
  return evaluate(function, as_leaves(inputs, DType::Float32, {}, true), true);
}

}  // namespace

TEST_CASE("attention") { run_op_cases(attention_cases()); }

TEST_CASE("self_attention") {
  std::vector<OpCase> rows;
  for (const Setup& s : kSetups) {
    if (s.keys.empty()) rows.push_back(self_case(s));
  }
  REQUIRE(rows.size() >= 5);
  run_op_cases(rows);
}

// Lengths that take several blocks of queries, ragged tiles and more than one depth block: float32 against
// the composed form in float64.
TEST_CASE("long sequences agree with the composed form") {
  const Setup setups[] = {
      {"13", kBidirectional, 2, 64, {13, 7, 1, 16}, {}, 0.1},
      {"53", kBidirectional, 2, 32, {53, 31}, {}, 0.1},
      {"128", kCausal, 2, 64, {128, 75}, {}, 0.1},
      {"200", kBidirectional, 1, 33, {200}, {}, 0},
      {"150 of 300", kCausal, 1, 20, {150, 73}, {300, 140}, 0.2},
      {.what = "prefix 300",
       .pattern = kPrefix,
       .heads = 1,
       .head_dim = 16,
       .queries = {300},
       .prefixes = {170}},
      {"1200 keys", kBidirectional, 1, 8, {90}, {1200}, 0.1},
      {.what = "many heads on shared keys",
       .pattern = kBidirectional,
       .heads = 5,
       .head_dim = 8,
       .queries = {60, 61, 62},
       .keys = {90, 90, 80},
       .dropout = 0.1,
       .key_begins = {0, 0, 10}},
  };
  for (const Setup& s : setups) {
    const OpCase row = make_case(s);
    Draw draw(5);
    const Inputs inputs = row.inputs(draw);
    const OpResult wanted = evaluate(row.twin, as_leaves(inputs, DType::Float64, {}, true), true);
    check_equal(evaluate(row.function, as_leaves(inputs, DType::Float64, {}, true), true), wanted, 1e-10,
                s.what);
    check_equal(in_float32(row.function, inputs), wanted, 2e-6, s.what + std::string(", float32"));
  }
}

// Lengths, widths and strides at which kernels with tiles take other paths. The tolerance of bfloat16 is one
// that no wrong row of a tile would meet.
TEST_CASE("edges of tiles on every device") {
  const Sizes edges = {15, 16, 17, 63, 64, 65, 127, 128, 129, 200}, some = {17, 64, 129};
  const Setup setups[] = {
      {"edges", kBidirectional, 1, 64, edges},
      {"edges, causal, dropout", kCausal, 1, 64, edges, {}, 0.1},
      {.what = "prefix, dropout",
       .pattern = kPrefix,
       .heads = 1,
       .head_dim = 32,
       .queries = {16, 63, 65, 128, 129},
       .dropout = 0.3,
       .prefixes = {3, 40, 64, 0, 127}},
      {"head width 96, dropout", kBidirectional, 1, 96, some, {}, 0.1},
      {"head width 128, causal", kCausal, 1, 128, some, {}, 0.2},
      {"head width 33", kBidirectional, 2, 33, some, {}, 0.1},
      {"head width 20, causal", kCausal, 2, 20, some},
      {"to 16", kBidirectional, 3, 64, {1, 13, 16, 0, 7, 15}, {}, 0.1},
      {"to 16, head width 40, causal", kCausal, 2, 40, {1, 13, 16, 7}, {}, 0.1},
      {"to 16, head width 128", kBidirectional, 2, 128, {1, 13, 16, 7}, {}, 0.1},
      {"to 32", kBidirectional, 2, 64, {31, 32, 17, 5}, {}, 0.2},
      {"to 32, head width 104, causal", kCausal, 2, 104, {31, 32, 17, 5}, {}, 0.2},
      {"to 64, causal", kCausal, 2, 32, {63, 64, 33, 1}, {}, 0.1},
      {"to 64", kBidirectional, 2, 64, {49, 64, 33, 1}, {}, 0.1},
      {"to 128", kBidirectional, 1, 64, {127, 128, 65, 2}, {}, 0.1},
      {"to 128, causal", kCausal, 1, 64, {127, 128, 65, 2}, {}, 0.1},
      {"to 128, head width 7", kCausal, 2, 7, {127, 65, 2}, {}, 0.1},
      {"cross", kBidirectional, 1, 64, {5, 64, 100, 0, 3, 33}, {200, 17, 0, 9, 64, 129}, 0.1},
      {"cross, few keys", kBidirectional, 2, 48, {5, 64, 100, 0, 3, 33}, {16, 9, 0, 2, 1, 13}, 0.1},
      {"cross, few queries", kBidirectional, 2, 64, {1, 2, 0, 1}, {300, 128, 65, 0}},
      {"causal with more keys", kCausal, 1, 64, {1, 17, 65, 100, 3}, {130, 64, 65, 300, 128}, 0.1},
      {"causal with more keys, to 128", kCausal, 1, 64, {1, 17, 65, 100, 0}, {128, 64, 65, 110, 128}, 0.1},
      {.what = "prefix with more keys",
       .pattern = kPrefix,
       .heads = 2,
       .head_dim = 32,
       .queries = {40, 70, 9},
       .keys = {150, 90, 40},
       .dropout = 0.1,
       .prefixes = {120, 60, 33}},
      {.what = "gaps, out of order",
       .pattern = kCausal,
       .heads = 2,
       .head_dim = 64,
       .queries = {20, 33},
       .keys = {24, 70},
       .dropout = 0.1,
       .query_begins = {37, 1},
       .key_begins = {75, 2},
       .examples = {7, 70000},
       .spare_rows = 3},
      {.what = "negative scale",
       .pattern = kCausal,
       .heads = 1,
       .head_dim = 64,
       .queries = {70, 140},
       .scale = -0.2},
      {.what = "shared keys",
       .pattern = kBidirectional,
       .heads = 2,
       .head_dim = 64,
       .queries = {20, 1, 64},
       .keys = {90, 90, 80},
       .dropout = 0.1,
       .key_begins = {0, 0, 10}},
  };
  for (const Setup& s : setups) {
    // The joined projection has rows of three times the width.
    OpCase row = s.keys.empty() && s.queries.size() < edges.size() ? self_case(s) : make_case(s);
    Draw draw(11);
    const Inputs inputs = row.inputs(draw);
    const OpResult wanted = evaluate(row.function, as_leaves(inputs, DType::Float64, {}, true), true);
    check_equal(in_float32(row.function, inputs), wanted, 2e-6, s.what + std::string(", float32"));
    row.bfloat16 = 6e-3;
    row.strided = false;
    for (int index = 0; index < cuda::device_count(); ++index) {
      check_device(row, inputs, wanted, {Device::Type::Cuda, index}, s.what);
    }
  }
}

TEST_CASE("large scores neither overflow nor lose their gradient") {
  OpCase row = make_case({"large", kBidirectional, 1, 8, {20}});
  Draw draw(6);
  const Inputs inputs = {draw.normal({20, 8}, 30), draw.normal({20, 8}, 30), draw.normal({20, 8})};
  const OpResult wanted = evaluate(row.twin, as_leaves(inputs, DType::Float64, {}, true), true);
  check_equal(in_float32(row.function, inputs), wanted, 2e-3, "scores of several hundred");
}

TEST_CASE("a NaN in the input shows in the output") {
  Tensor q = Tensor::ones({3, 4}), k = Tensor::ones({3, 4});
  k.mutable_data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  const Segments segments({3});
  const std::vector<float> out = attention(q, k, q, segments, segments, {}).to_vector<float>();
  CHECK(std::isnan(out[0]));
}

TEST_CASE("each sequence gives the same alone as in a batch") {
  for (AttentionPattern pattern : {kBidirectional, kCausal, kPrefix}) {
    const Sizes lengths = {13, 128, 1, 40, 77, 5}, examples = {4, 9, 2, 7, 1, 3};
    const std::int64_t width = 2 * 32;
    AttentionOptions options{.heads = 2, .pattern = pattern, .dropout = make_dropout(0.1, 99)};
    Draw draw(7);
    const Segments all(lengths, {.prefixes = {5, 60, 1, 0, 33, 5}, .examples = examples});
    Tensor qkv = draw.normal({all.end(), 3 * width}).to(DType::Float32);
    qkv.set_requires_grad(true);
    const Tensor d_out = draw.normal({all.end(), width}).to(DType::Float32);
    const Tensor together = self_attention(qkv, all, options);
    backward(together, {d_out, false});
    for (std::int64_t i = 0; i < all.count(); ++i) {
      const std::int64_t begin = all.begin(i), end = begin + all.length(i);
      const Segments one({all.length(i)}, {.prefixes = {all.view().prefix[i]},
                                           .examples = {examples[static_cast<std::size_t>(i)]}});
      Tensor alone = qkv.detach().slice(0, begin, end).clone();
      alone.set_requires_grad(true);
      const Tensor out = self_attention(alone, one, options);
      backward(out, {d_out.slice(0, begin, end), false});
      CHECK(relative_error(doubles(out), doubles(together.detach().slice(0, begin, end))) <= 1e-6);
      CHECK(relative_error(doubles(alone.grad()), doubles(qkv.grad().slice(0, begin, end))) <= 1e-6);
    }
  }
}

TEST_CASE("the number of threads does not change a bit") {
  const Setup setups[] = {
      {"uneven lengths", kBidirectional, 3, 32, {128, 7, 60, 90, 13}, {}, 0.1},
      {.what = "shared keys",
       .pattern = kBidirectional,
       .heads = 3,
       .head_dim = 32,
       .queries = {60, 61, 62},
       .keys = {90, 90, 80},
       .key_begins = {0, 0, 10}},
  };
  const int before = cpu::threads();
  for (const Setup& s : setups) {
    const OpCase row = make_case(s);
    Draw draw(9);
    const Inputs inputs = row.inputs(draw);
    cpu::set_threads(1);
    const OpResult one = in_float32(row.function, inputs);
    for (int threads : {2, 3, 5}) {
      cpu::set_threads(threads);
      check_equal(in_float32(row.function, inputs), one, 0, s.what);
    }
  }
  cpu::set_threads(before);
}

TEST_CASE("rows outside of segments are zero in the output and in all gradients") {
  const Segments queries({2, 3}, {.begins = {1, 5}}), keys({4, 2}, {.begins = {2, 7}});
  Draw draw(8);
  Inputs x =
      as_leaves({draw.normal({10, 6}), draw.normal({12, 6}), draw.normal({12, 6})}, DType::Float32, {}, true);
  const Tensor out = attention(x[0], x[1], x[2], queries, keys, {.heads = 2});
  backward(out, {Tensor::ones(out.shape()), false});
  const auto check_rows = [](const Tensor& tensor, const Sizes& inside) {
    const std::vector<double> values = doubles(tensor);
    for (std::int64_t r = 0; r < tensor.size(0); ++r) {
      const auto row = values.begin() + r * tensor.size(1);
      const bool zero = std::all_of(row, row + tensor.size(1), [](double value) { return value == 0; });
      CHECK(zero == (std::find(inside.begin(), inside.end(), r) == inside.end()));
    }
  };
  check_rows(out, {1, 2, 5, 6, 7});
  check_rows(x[0].grad(), {1, 2, 5, 6, 7});
  check_rows(x[1].grad(), {2, 3, 4, 5, 7, 8});
  check_rows(x[2].grad(), {2, 3, 4, 5, 7, 8});
}

TEST_CASE("dropout keeps the share it says and draws other masks for other examples and heads") {
  const std::int64_t n = 200;
  const Segments segments({n, n}, {.examples = {1, 2}});
  // Values that count: with equal scores each output is the number of kept keys times scale / n.
  const Tensor zeros = Tensor::zeros({2 * n, 4}), ones = Tensor::ones({2 * n, 4});
  AttentionOptions options{.heads = 2, .dropout = make_dropout(0.1, 5)};
  const std::vector<float> out =
      attention(zeros, zeros, ones, segments, segments, options).to_vector<float>();
  double mean = 0;
  for (float x : out) mean += x / static_cast<double>(out.size());
  CHECK(mean == doctest::Approx(1).epsilon(0.005));
  int head_equal = 0, example_equal = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    head_equal += out[static_cast<std::size_t>(4 * i)] == out[static_cast<std::size_t>(4 * i + 2)];
    example_equal += out[static_cast<std::size_t>(4 * i)] == out[static_cast<std::size_t>(4 * (n + i))];
  }
  CHECK(head_equal < n / 2);
  CHECK(example_equal < n / 2);
}

TEST_CASE("errors of attention") {
  const auto call = [](Shape q, Shape k, Shape v, const Segments& queries, const Segments& keys,
                       AttentionOptions options = {.heads = 2}) {
    return [=] { attention(Tensor::zeros(q), Tensor::zeros(k), Tensor::zeros(v), queries, keys, options); };
  };
  const Segments one({3}), two({1, 2}), longer({5}), far({3}, {.begins = {2}}),
      crossing({2, 2}, {.begins = {0, 1}});
  const AttentionOptions causal{.heads = 2, .pattern = kCausal}, prefix{.heads = 2, .pattern = kPrefix};
  const ErrorCase rows[] = {
      {"attention", call({3, 5}, {3, 5}, {3, 5}, one, one), "q of width 5 cannot be divided into 2 heads"},
      {"attention", call({3, 0}, {3, 0}, {3, 0}, one, one), "q of width 0 cannot be divided into 2 heads"},
      {"attention", call({3, 4}, {3, 6}, {3, 6}, one, one), "got q (3, 4), k (3, 6), v (3, 6)"},
      {"attention", call({3, 4}, {3, 4}, {2, 4}, one, one), "got q (3, 4), k (3, 4), v (2, 4)"},
      {"attention", call({3}, {3, 4}, {3, 4}, one, one), "q must be [rows, heads * head width], got (3,)"},
      {"attention", call({3, 4}, {3, 4}, {3, 4}, one, two), "1 query segments and 2 key segments"},
      {"attention", call({3, 4}, {3, 4}, {3, 4}, far, one), "segment 0 of q is rows 2 to 5, q has 3 rows"},
      {"attention", call({3, 4}, {3, 4}, {3, 4}, one, far), "segment 0 of k is rows 2 to 5, k has 3 rows"},
      {"attention", call({5, 4}, {3, 4}, {3, 4}, longer, one, causal), "segment 0 has 5 queries and 3 keys"},
      {"attention", call({5, 4}, {3, 4}, {3, 4}, longer, one, prefix), "segment 0 has 5 queries and 3 keys"},
      {"attention", call({3, 4}, {3, 4}, {3, 4}, crossing, crossing),
       "query segments 0 and 1 have rows in common"},
      {"attention", call({3, 4}, {3, 4}, {3, 4}, one, one, {.heads = 0}), "heads must be positive, got 0"},
      {"attention", call({3, 4}, {3, 4}, {3, 4}, Segments(), one), "empty Segments object"},
      {"attention", [] { attention({}, {}, {}, Segments({1}), Segments({1}), {}); }, "q is undefined"},
      {"attention",
       [&] {
         const Tensor x = Tensor::zeros({3, 4}), y = Tensor::zeros({3, 4}, {DType::Float64});
         attention(x, y, y, one, one, {.heads = 2});
       },
       "operands differ"},
      {"attention",
       [&] {
         const Tensor x = Tensor::zeros({3, 4}, {DType::Int64});
         attention(x, x, x, one, one, {.heads = 2});
       },
       "q must be a floating tensor, got int64"},
      {"self_attention",
       [&] {
         self_attention(Tensor::zeros({3, 8}), one, {.heads = 2});
       },
       "qkv must be [rows, 3 * heads * head width] with 2 heads, got (3, 8)"},
      {"self_attention",
       [&] {
         self_attention(Tensor::zeros({3, 12}), far, {.heads = 2});
       },
       "segment 0 of qkv is rows 2 to 5, qkv has 3 rows"},
      {"self_attention",
       [&] {
         self_attention(Tensor::zeros({3, 12}), crossing, {.heads = 2});
       },
       "query segments 0 and 1 have rows in common"},
  };
  run_error_cases(rows);
}
