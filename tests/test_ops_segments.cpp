#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/rows.h"
#include "autograd/ops/segment_ops.h"
#include "autograd/ops/softmax.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Layouts of segments over the 14 rows that the rows below use.
struct Layouts {
  const char* what;
  std::vector<std::int64_t> lengths, begins;
};
const Layouts layouts[] = {
    {"end to end", {3, 5, 6}, {}},
    {"with an empty one", {4, 0, 10, 0}, {}},
    {"gaps and another order", {4, 2, 1}, {9, 0, 6}},
};

Segments make_segments(const Layouts& layout) { return Segments(layout.lengths, {.begins = layout.begins}); }

Tensor part(const Tensor& x, const Segments& s, std::int64_t i) {
  return x.slice(0, s.begin(i), s.begin(i) + s.length(i));
}

// One segment at a time with the ops on plain tensors; an empty one gives 0.
Tensor by_segment(const Tensor& x, const Segments& segments,
                  const std::function<Tensor(const Tensor&)>& reduce) {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < segments.count(); ++i) {
    const Tensor zero = Tensor::zeros({1, x.size(1)}, x.options());
    rows.push_back(segments.length(i) == 0 ? zero : reduce(part(x, segments, i)));
  }
  return concat(rows, 0);
}

Tensor softmax_by_segment(const Tensor& x, const Segments& segments) {
  Tensor y = Tensor::zeros(x.shape(), x.options());
  for (std::int64_t i = 0; i < segments.count(); ++i) {
    std::vector<std::int64_t> ids;
    for (std::int64_t t = 0; t < segments.length(i); ++t) ids.push_back(segments.begin(i) + t);
    if (!ids.empty()) y = y + scatter_rows(softmax(part(x, segments, i), 0), Tensor::from(ids), x.size(0));
  }
  return y;
}

using SegmentFunction = Tensor (*)(const Tensor&, const Segments&);

// Many segments, some long, one column or several; and segments that share rows.
OpCase large_case(const char* op, const char* what, SegmentFunction function, const Segments& s,
                  std::int64_t cols) {
  return {.op = op,
          .what = what,
          .inputs =
              [=, rows = s.total()](Draw& draw) {
                return Inputs{draw.normal({rows, cols})};
              },
          .function = [=](const Inputs& x) { return function(x[0], s.to(x[0].device())); },
          .large = true};
}

std::vector<OpCase> cases_for(const char* op, SegmentFunction function, SegmentFunction twin) {
  std::vector<OpCase> cases;
  std::vector<std::int64_t> short_ones;
  for (std::int64_t i = 0; i < 300; ++i) short_ones.push_back(i % 4);
  cases.push_back(large_case(op, "many segments", function, Segments(short_ones), 5));
  cases.push_back(large_case(op, "long segments, one column", function, Segments({700, 3, 290}), 1));
  cases.push_back(large_case(op, "long segments", function, Segments({100, 0, 90}), 33));
  for (const Layouts& layout : layouts) {
    const Segments s = make_segments(layout);
    cases.push_back({.op = op,
                     .what = layout.what,
                     .inputs =
                         [](Draw& draw) {
                           return Inputs{draw.normal({14, 70})};
                         },
                     .function = [=](const Inputs& x) { return function(x[0], s.to(x[0].device())); },
                     .twin = [=](const Inputs& x) { return twin(x[0], s); },
                     .zero_inputs =
                         [](Draw& draw) {
                           return Inputs{draw.normal({0, 3})};
                         },
                     .zero_function =
                         [=](const Inputs& x) {
                           return function(x[0], Segments({0, 0}, {.device = x[0].device()}));
                         }});
  }
  return cases;
}

}  // namespace

TEST_CASE("segment_sum") {
  run_op_cases(cases_for("segment_sum", segment_sum, [](const Tensor& x, const Segments& s) {
    return by_segment(x, s, [](const Tensor& rows) { return sum(rows, {0}, true); });
  }));
}

TEST_CASE("segment_mean") {
  run_op_cases(cases_for("segment_mean", segment_mean, [](const Tensor& x, const Segments& s) {
    return by_segment(x, s, [](const Tensor& rows) { return mean(rows, {0}, true); });
  }));
}

TEST_CASE("segment_max") {
  run_op_cases(cases_for("segment_max", segment_max, [](const Tensor& x, const Segments& s) {
    return by_segment(x, s, [](const Tensor& rows) { return max(rows, 0, true); });
  }));
}

TEST_CASE("segment_softmax") {
  run_op_cases(cases_for("segment_softmax", segment_softmax, softmax_by_segment));
}

TEST_CASE("segment_attention_pool") {
  std::vector<OpCase> cases;
  for (const Layouts& layout : layouts) {
    const Segments s = make_segments(layout);
    cases.push_back(
        {.op = "segment_attention_pool",
         .what = layout.what,
         .inputs =
             [](Draw& draw) {
               return Inputs{draw.normal({14, 6}), draw.normal({14, 1})};
             },
         .function = [=](const Inputs& x) { return segment_attention_pool(x[0], x[1], s.to(x[0].device())); },
         .twin =
             [=](const Inputs& x) {
               return by_segment(concat({x[0], x[1]}, 1), s,
                                 [](const Tensor& rows) {
                                   const Tensor weights = softmax(rows.slice(1, 6, 7), 0);
                                   return sum(weights * rows, {0}, true);
                                 })
                   .slice(1, 0, 6);
             },
         .zero_inputs =
             [](Draw& draw) {
               return Inputs{draw.normal({0, 3}), draw.normal({0, 1})};
             },
         .zero_function =
             [](const Inputs& x) {
               return segment_attention_pool(x[0], x[1], Segments({0}, {.device = x[0].device()}));
             }});
  }
  run_op_cases(cases);
}

TEST_CASE("no segments, no columns") {
  CHECK(segment_mean(Tensor::ones({4, 2}), Segments(std::vector<std::int64_t>{})).shape() == Shape{0, 2});
  CHECK(segment_max(Tensor::ones({4, 0}), Segments({4})).shape() == Shape{1, 0});
}

TEST_CASE("overlapping segments share gradients") {
  Tensor x = Tensor::ones({3, 2}, {DType::Float64});
  x.set_requires_grad(true);
  const Segments segments({2, 3}, {.begins = {0, 0}});
  backward(segment_sum(x, segments), {Tensor::ones({2, 2}, {DType::Float64}), false});
  CHECK(x.grad().to_vector<double>() == std::vector<double>{2, 2, 2, 2, 1, 1});
}

TEST_CASE("many segments, several threads") {
  Draw draw(6);
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < 64; ++i) lengths.push_back(i % 29);
  const Segments segments(lengths);
  const Tensor x = draw.normal({segments.total(), 384});
  const auto means = [](const Tensor& rows) { return mean(rows, {0}, true); };
  CHECK(relative_error(doubles(segment_mean(x.to(DType::Float32), segments)),
                       doubles(by_segment(x, segments, means))) < 1e-6);
}

TEST_CASE("errors") {
  const Tensor x = Tensor::ones({4, 2});
  const ErrorCase cases[] = {
      {"segment_sum",
       [&] {
         segment_sum(x, Segments({3, 2}));
       },
       "[segment_sum] the segments reach to row 5, x (4, 2) has 4 rows"},
      {"segment_mean", [&] { segment_mean(Tensor::ones({4}), Segments({4})); },
       "[segment_mean] x must be [T, C]"},
      {"segment_max", [&] { segment_max(x, Segments()); }, "[segments] empty Segments object"},
      {"segment_softmax", [&] { segment_softmax(Tensor(), Segments({4})); },
       "[segment_softmax] x is undefined"},
      {"segment_attention_pool", [&] { segment_attention_pool(x, x, Segments({4})); },
       "[segment_attention_pool] scores must be [4, 1], got (4, 2)"},
      {"segments",
       [] {
         Segments({2, -1});
       },
       "[segments] segment 1 has length -1"},
      {"segments", [] { Segments({2}, {.prefixes = {3}}); },
       "[segments] segment 0 has prefix 3, beyond its length 2"},
      {"segments",
       [] {
         Segments({2, 2}, {.begins = {0}});
       },
       "2 lengths, 1 begins"},
      {"segments",
       [] {
         Segments({2, 0}).first_rows();
       },
       "[segments] segment 1 is empty and has no first row"},
  };
  run_error_cases(cases);
}
