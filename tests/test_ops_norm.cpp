#include <cmath>

#include "autograd/backend/cpu/host.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/rows.h"
#include "autograd/segments.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

constexpr double eps = 1e-5;

OpCase norm_case(const char* what, const Shape& shape, const Shape& zero, bool large = false) {
  return {.op = "layer_norm",
          .what = what,
          .inputs =
              [=](Draw& draw) {
                const Shape row{shape[-1]};
                return Inputs{draw.normal(shape, 2, 0.5), draw.normal(row, 0.3, 1), draw.normal(row)};
              },
          .function = [](const Inputs& x) { return layer_norm(x[0], x[1], x[2], eps); },
          .twin = [](const Inputs& x) { return layer_norm_composed(x[0], x[1], x[2], eps); },
          .zero_inputs =
              [=](Draw& draw) {
                const Shape row{zero[-1]};
                return Inputs{draw.normal(zero), draw.normal(row), draw.normal(row)};
              },
          .large = large};
}

Tensor keys_for(std::int64_t rows, Device device) {
  std::vector<std::int64_t> keys;
  for (std::int64_t i = 0; i < rows; ++i) keys.push_back(((i % 3) << 32) | (7 * i));
  return Tensor::from(keys, device);
}

OpCase fused_case(const char* what, std::int64_t rows, std::int64_t cols, double p, bool large = false) {
  const DropoutSpec spec = make_dropout(p, 99);
  return {.op = "dropout_add_layer_norm",
          .what = what,
          .inputs =
              [=](Draw& draw) {
                return Inputs{draw.normal({rows, cols}), draw.normal({rows, cols}),
                              draw.normal({cols}, 0.3, 1), draw.normal({cols})};
              },
          .function =
              [=](const Inputs& x) {
                return dropout_add_layer_norm(x[0], x[1], x[2], x[3], eps, spec,
                                              keys_for(x[0].size(0), x[0].device()));
              },
          .twin =
              [=](const Inputs& x) {
                return dropout_add_layer_norm_composed(x[0], x[1], x[2], x[3], eps, spec,
                                                       keys_for(x[0].size(0), x[0].device()));
              },
          .zero_inputs =
              [=](Draw& draw) {
                return Inputs{draw.normal({0, cols}), draw.normal({0, cols}), draw.normal({cols}),
                              draw.normal({cols})};
              },
          .large = large};
}

// What DropoutSpec in kernel_table.h says, one element at a time.
std::vector<float> reference_mask(std::int64_t rows, std::int64_t cols, const DropoutSpec& spec,
                                  const std::vector<std::int64_t>& keys) {
  std::vector<float> mask;
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto key = static_cast<std::uint64_t>(keys.empty() ? i : keys[static_cast<std::size_t>(i)]);
    for (std::int64_t j = 0; j < cols; ++j) {
      const auto words = philox({static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key),
                                 static_cast<std::uint32_t>(j / 4), 0},
                                spec.key);
      mask.push_back(words[static_cast<std::size_t>(j % 4)] >= spec.threshold ? spec.scale : 0.0f);
    }
  }
  return mask;
}

}  // namespace

TEST_CASE("layer_norm") {
  const OpCase cases[] = {
      norm_case("rows", {5, 7}, {0, 7}),
      norm_case("three axes", {2, 3, 5}, {2, 0, 5}),
      norm_case("one row", {6}, {0}),
      norm_case("wide", {2, 133}, {3, 0}),
      norm_case("blocks of rows", {70, 4}, {0, 4}),
      norm_case("packs", {9, 40}, {0, 40}),
      norm_case("BERT's small width", {13, 384}, {0, 384}, true),
      norm_case("BERT's width", {13, 768}, {0, 768}, true),
      norm_case("BERT's large width", {7, 1024}, {0, 1024}, true),
      norm_case("too wide for registers", {40, 1032}, {0, 1032}, true),
  };
  run_op_cases(cases);
}

TEST_CASE("dropout_add_layer_norm") {
  const OpCase cases[] = {
      fused_case("no dropout", 5, 7, 0),
      fused_case("dropout", 5, 9, 0.3),
      fused_case("dropout, wider than one table of words", 2, 530, 0.5),
      fused_case("dropout, blocks of rows", 40, 3, 0.1),
      fused_case("dropout, packs", 9, 24, 0.2),
      fused_case("no dropout, packs", 9, 24, 0),
      fused_case("dropout, more rows than warps", 2400, 8, 0.1, true),
      fused_case("dropout, BERT's small width", 13, 384, 0.1, true),
      fused_case("dropout, BERT's width", 13, 768, 0.1, true),
      fused_case("dropout, BERT's large width", 7, 1024, 0.1, true),
      fused_case("dropout, too wide for registers", 9, 1032, 0.1, true),
  };
  run_op_cases(cases);
}

TEST_CASE("dropout") {
  const OpCase cases[] = {
      {.op = "dropout",
       .what = "row keys",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({6, 11})};
           },
       .function =
           [](const Inputs& x) {
             return dropout(x[0], make_dropout(0.4, 5), keys_for(x[0].size(0), x[0].device()));
           },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 11})};
           }},
      {.op = "dropout",
       .what = "packs",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({9, 296})};
           },
       .function =
           [](const Inputs& x) {
             return dropout(x[0], make_dropout(0.4, 5), keys_for(x[0].size(0), x[0].device()));
           }},
      {.op = "dropout",
       .what = "rows by number",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({6, 5})};
           },
       .function = [](const Inputs& x) { return dropout(x[0], make_dropout(0.4, 5)); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({3, 0})};
           }},
  };
  run_op_cases(cases);
}

// Everything on a device of this build against float64 here, whose parameters have the values of float32.
TEST_CASE("float32 parameters go with bfloat16 rows") {
  for (int index = 0; index < cuda::device_count(); ++index) {
    const Device device{Device::Type::Cuda, index};
    for (const Shape& shape : {Shape{40, 24}, Shape{5, 7}, Shape{3, 1032}}) {
      Draw draw(12);
      const std::int64_t rows = shape[0], cols = shape[1];
      const auto exact = [&](const Tensor& x) { return x.to(DType::BFloat16).to(DType::Float64); };
      const Inputs inputs = {exact(draw.normal(shape)), exact(draw.normal(shape)),
                             draw.normal({cols}, 0.3, 1), draw.normal({cols})};
      const OpFunction function = [&](const Inputs& x) {
        const Tensor keys = keys_for(rows, x[0].device());
        return dropout_add_layer_norm(x[0], x[1], x[2], x[3], eps, make_dropout(0.1, 3), keys);
      };
      const OpResult wanted = evaluate(function, as_leaves(inputs, DType::Float64, {}, true), true);
      Inputs leaves = as_leaves(inputs, DType::BFloat16, device, true);
      for (std::size_t i : {2, 3}) leaves[i] = as_leaves({inputs[i]}, DType::Float32, device, true)[0];
      check_equal(evaluate(function, leaves, true), wanted, 2e-2, "mixed");
      for (std::size_t i : {2, 3}) CHECK(leaves[i].grad().dtype() == DType::Float32);
      const Tensor composed = layer_norm_composed(leaves[0], leaves[2], leaves[3], eps);
      CHECK(composed.dtype() == DType::BFloat16);
      CHECK(relative_error(doubles(composed), doubles(layer_norm(leaves[0], leaves[2], leaves[3], eps))) <
            2e-2);
    }
  }
}

TEST_CASE("the mask is the one that kernel_table.h describes, forward and backward") {
  for (std::int64_t cols : {1, 3, 4, 31, 64, 513, 1100}) {
    const std::int64_t rows = 5;
    const DropoutSpec spec = make_dropout(0.25, 0x123456789ABCDEFu);
    const Tensor keys = keys_for(rows, {});
    for (const Tensor& row_keys : {keys, Tensor()}) {
      const std::vector<float> mask =
          reference_mask(rows, cols, spec,
                         row_keys.defined() ? keys.to_vector<std::int64_t>() : std::vector<std::int64_t>{});
      Tensor x = Tensor::ones({rows, cols});
      x.set_requires_grad(true);
      const Tensor y = dropout(x, spec, row_keys);
      CHECK(y.to_vector<float>() == mask);
      backward(y, {Tensor::ones(y.shape()), false});
      CHECK(x.grad().to_vector<float>() == mask);
    }
    // In the fused op the mask shows in dx: exact zeros.
    Draw draw(1);
    const std::vector<float> mask = reference_mask(rows, cols, spec, keys.to_vector<std::int64_t>());
    const Inputs leaves =
        as_leaves({draw.normal({rows, cols}), draw.normal({rows, cols}), draw.normal({cols}, 1, 3)},
                  DType::Float32, {}, true);
    const Tensor y =
        dropout_add_layer_norm(leaves[0], leaves[1], leaves[2], Tensor::zeros({cols}), eps, spec, keys);
    backward(y, {draw.normal(y.shape()).to(DType::Float32), false});
    const auto dx = leaves[0].grad().to_vector<float>(), d_residual = leaves[1].grad().to_vector<float>();
    for (std::size_t i = 0; i < mask.size(); ++i) CHECK(dx[i] == d_residual[i] * mask[i]);
  }
}

TEST_CASE("a batch in two parts draws as the whole does") {
  Draw draw(2);
  const Tensor x = draw.normal({9, 50}).to(DType::Float32),
               residual = draw.normal({9, 50}).to(DType::Float32);
  const Tensor gamma = Tensor::ones({50}), beta = Tensor::zeros({50});
  const Segments whole({4, 5}), first({4}), second({5}, {.examples = {1}});
  const DropoutSpec spec = make_dropout(0.2, 77);
  const auto part = [](const Tensor& t, int i) { return i == 0 ? t.slice(0, 0, 4) : t.slice(0, 4, 9); };
  const auto run = [&](const Tensor& a, const Tensor& b, const Segments& segments) {
    return concat({dropout(a, spec, segments.token_keys()),
                   dropout_add_layer_norm(a, b, gamma, beta, eps, spec, segments.token_keys())},
                  1);
  };
  const Tensor parts =
      concat({run(part(x, 0), part(residual, 0), first), run(part(x, 1), part(residual, 1), second)}, 0);
  CHECK(run(x, residual, whole).to_vector<float>() == parts.to_vector<float>());
}

TEST_CASE("as many elements are kept as asked for, independently of each other") {
  const std::int64_t rows = 700, cols = 900;
  const double n = static_cast<double>(rows * cols);
  for (double p : {0.1, 0.5}) {
    const auto mask = [&](std::uint64_t key) {
      return dropout(Tensor::ones({rows, cols}), make_dropout(p, key)).to_vector<float>();
    };
    const std::vector<float> a = mask(1), b = mask(2);
    double kept = 0, both_keys = 0, neighbours = 0, below = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const bool here = a[i] != 0;
      kept += here;
      both_keys += here && b[i] != 0;
      neighbours += here && a[(i + 1) % a.size()] != 0;
      below += here && a[(i + static_cast<std::size_t>(cols)) % a.size()] != 0;
    }
    const double q = 1 - p, deviation = 5 * std::sqrt(n * q * p),
                 pairs = 5 * std::sqrt(n * q * q * (1 - q * q));
    CHECK(std::abs(kept - n * q) < deviation);
    CHECK(std::abs(both_keys - n * q * q) < pairs);
    CHECK(std::abs(neighbours - n * q * q) < 2 * pairs);
    CHECK(std::abs(below - n * q * q) < 2 * pairs);
  }
}

TEST_CASE("without dropout: no copy, and the fused op needs no keys") {
  const Tensor x = Tensor::ones({2, 3});
  CHECK(dropout(x, {}).storage() == x.storage());
  CHECK(dropout_add_layer_norm(x, x, Tensor::ones({3}), Tensor::zeros({3}), eps).shape() == Shape{2, 3});
}

TEST_CASE("training and inference give the same bits; so do one thread and several") {
  Draw draw(8);
  const std::int64_t rows = 200, cols = 200;
  const Inputs inputs = as_leaves({draw.normal({rows, cols}), draw.normal({rows, cols}),
                                   draw.normal({cols}, 0.2, 1), draw.normal({cols})},
                                  DType::Float32, {}, true);
  const OpFunction function = [&](const Inputs& x) {
    return dropout_add_layer_norm(x[0], x[1], x[2], x[3], eps, make_dropout(0.1, 3), keys_for(rows, {}));
  };
  const OpResult several = evaluate(function, inputs, true);
  for (Tensor x : inputs) x.zero_grad();
  const int threads = cpu::threads();
  cpu::set_threads(1);
  const OpResult one = evaluate(function, inputs, true);
  cpu::set_threads(threads);
  CHECK(one.value == several.value);
  CHECK(one.gradients == several.gradients);
  NoGradGuard no_grad;
  CHECK(doubles(function(inputs)) == several.value);
}

TEST_CASE("a constant row, and numbers far from zero") {
  const Tensor gamma = Tensor::ones({64}), beta = Tensor::full({64}, 0.5);
  for (float y : layer_norm(Tensor::full({2, 64}, 3), gamma, beta, 1e-12).to_vector<float>())
    CHECK(y == 0.5f);
  Draw draw(6);
  const Tensor x = draw.normal({3, 64}, 1, 1000);
  const Tensor wide = layer_norm(x, gamma.to(DType::Float64), beta.to(DType::Float64), 1e-12);
  CHECK(relative_error(doubles(layer_norm(x.to(DType::Float32), gamma, beta, 1e-12)), doubles(wide)) < 1e-4);
}

TEST_CASE("errors") {
  const Tensor x = Tensor::ones({4, 6}), row = Tensor::ones({6}), keys = keys_for(4, {});
  const DropoutSpec spec = make_dropout(0.1, 1);
  const ErrorCase cases[] = {
      {"layer_norm", [&] { layer_norm(x, Tensor::ones({5}), row, eps); },
       "[layer_norm] gamma and beta must be (6,) for x (4, 6), got (5,) and (6,)"},
      {"layer_norm", [&] { layer_norm(Tensor::scalar(1), row, row, eps); }, "needs an axis"},
      {"layer_norm", [&] { layer_norm(x, Tensor(), row, eps); }, "gamma is undefined"},
      {"dropout_add_layer_norm",
       [&] {
         dropout_add_layer_norm(x, Tensor::ones({3, 6}), row, row, eps);
       },
       "x and residual must be [T, C], got (4, 6) and (3, 6)"},
      {"dropout_add_layer_norm", [&] { dropout_add_layer_norm(x, x, row, row, eps, spec); },
       "dropout needs row_keys: pass Segments::token_keys()"},
      {"dropout_add_layer_norm", [&] { dropout_add_layer_norm(x, x, row, row, eps, spec, keys_for(3, {})); },
       "row_keys must be int64 (4,), one for each row of x (4, 6); got int64 (3,)"},
      {"dropout", [&] { dropout(x, spec, Tensor::ones({4})); }, "got float32 (4,)"},
      {"dropout", [&] { dropout(row, spec); }, "[dropout] x must be [rows, C], got (6,)"},
      {"dropout", [&] { make_dropout(1, 0); }, "probability must be in [0, 1), got 1"},
  };
  run_error_cases(cases);
}
