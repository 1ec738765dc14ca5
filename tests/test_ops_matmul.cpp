#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/rows.h"
#include "tests/three_layers.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

// Sum over k of a[.., m, k, 1] * b[.., 1, k, n].
Tensor plain_matmul(const Tensor& a, const Tensor& b) {
  Shape left = a.shape(), right = b.shape();
  left.push_back(1);
  right.push_back(right[-1]);
  right[-3] = 1;
  right[-2] = b.size(-2);
  return sum(mul(a.reshape(left), b.reshape(right)), {-2});
}

OpCase matmul_case(const char* what, const Shape& a, const Shape& b, const Shape& zero_a,
                   const Shape& zero_b) {
  return {.op = "matmul",
          .what = what,
          .inputs =
              [=](Draw& draw) {
                return Inputs{draw.normal(a), draw.normal(b)};
              },
          .function = [](const Inputs& x) { return matmul(x[0], x[1]); },
          .twin = [](const Inputs& x) { return plain_matmul(x[0], x[1]); },
          .zero_inputs =
              [=](Draw& draw) {
                return Inputs{draw.normal(zero_a), draw.normal(zero_b)};
              }};
}

OpCase linear_case(const char* what, Activation activation) {
  return {.op = "linear",
          .what = what,
          .inputs =
              [](Draw& draw) {
                return Inputs{draw.normal({5, 3}), draw.normal({4, 3}), draw.normal({4})};
              },
          .function = [=](const Inputs& x) { return linear(x[0], x[1], x[2], activation); },
          .twin = [=](const Inputs& x) { return linear_composed(x[0], x[1], x[2], activation); },
          .zero_inputs =
              [](Draw& draw) {
                return Inputs{draw.normal({0, 3}), draw.normal({4, 3}), draw.normal({4})};
              }};
}

// Sizes that fill vectors of 16 bytes in each type, and more rows than a block sums.
OpCase wide_case(const char* what, Activation activation, bool with_bias) {
  return {.op = "linear",
          .what = what,
          .inputs =
              [=](Draw& draw) {
                Inputs inputs = {draw.normal({67, 8}), draw.normal({16, 8})};
                if (with_bias) inputs.push_back(draw.normal({16}));
                return inputs;
              },
          .function =
              [=](const Inputs& x) { return linear(x[0], x[1], with_bias ? x[2] : Tensor(), activation); },
          .twin =
              [=](const Inputs& x) {
                return linear_composed(x[0], x[1], with_bias ? x[2] : Tensor(), activation);
              }};
}

Tensor three_alone(const Inputs& x) {
  return concat({linear(x[0], x[1], x[4]), linear(x[0], x[2], x[5]), linear(x[0], x[3], x[6])}, 1);
}

}  // namespace

TEST_CASE("matmul") {
  const OpCase cases[] = {
      matmul_case("two matrices", {3, 4}, {4, 5}, {0, 4}, {4, 5}),
      matmul_case("one row", {1, 4}, {4, 3}, {1, 4}, {4, 0}),
      matmul_case("one column", {3, 4}, {4, 1}, {3, 0}, {0, 1}),
      matmul_case("inner size 1", {3, 1}, {1, 4}, {0, 1}, {1, 0}),
      matmul_case("batch", {2, 3, 4}, {2, 4, 5}, {0, 3, 4}, {0, 4, 5}),
      matmul_case("two batch axes", {2, 3, 2, 4}, {2, 3, 4, 3}, {2, 0, 2, 4}, {2, 0, 4, 3}),
      matmul_case("batch, inner size 0", {2, 3, 4}, {2, 4, 2}, {2, 3, 0}, {2, 0, 2}),
      {.op = "matmul",
       .what = "shared right side",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({2, 3, 4}), draw.normal({4, 5})};
           },
       .function = [](const Inputs& x) { return matmul(x[0], x[1]); },
       .twin =
           [](const Inputs& x) {
             return matmul(x[0].reshape({6, 4}), x[1]).reshape({2, 3, 5});
           },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 3, 4}), draw.normal({4, 5})};
           }},
      {.op = "matmul",
       .what = "transposed views",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({2, 4, 3}), draw.normal({2, 5, 4})};
           },
       .function = [](const Inputs& x) { return matmul(x[0].transpose(1, 2), x[1].transpose(1, 2)); },
       .twin =
           [](const Inputs& x) {
             return plain_matmul(x[0].transpose(1, 2).contiguous(), x[1].transpose(1, 2).contiguous());
           }},
      {.op = "matmul",
       .what = "expanded left side",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({1, 4}), draw.normal({4, 3})};
           },
       .function =
           [](const Inputs& x) {
             return matmul(x[0].expand({5, 4}), x[1]);
           },
       .twin =
           [](const Inputs& x) {
             return plain_matmul(x[0].expand({5, 4}).contiguous(), x[1]);
           }},
  };
  run_op_cases(cases);
}

TEST_CASE("linear") {
  const OpCase cases[] = {
      linear_case("no activation", Activation::None),
      linear_case("gelu", Activation::Gelu),
      linear_case("gelu_tanh", Activation::GeluTanh),
      linear_case("relu", Activation::Relu),
      linear_case("tanh", Activation::Tanh),
      linear_case("swish", Activation::Swish),
      wide_case("wide, no activation", Activation::None, true),
      wide_case("wide, gelu", Activation::Gelu, true),
      wide_case("wide, gelu_tanh", Activation::GeluTanh, true),
      wide_case("wide, gelu_tanh, no bias", Activation::GeluTanh, false),
      wide_case("wide, relu", Activation::Relu, true),
      {.op = "linear",
       .what = "no bias, gelu",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({5, 3}), draw.normal({4, 3})};
           },
       .function = [](const Inputs& x) { return linear(x[0], x[1], {}, Activation::Gelu); },
       .twin = [](const Inputs& x) { return linear_composed(x[0], x[1], {}, Activation::Gelu); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({2, 0}), draw.normal({4, 0})};
           }},
      {.op = "linear",
       .what = "several blocks of rows",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({71, 2}), draw.normal({3, 2}), draw.normal({3})};
           },
       .function = [](const Inputs& x) { return linear(x[0], x[1], x[2]); },
       .twin = [](const Inputs& x) { return linear_composed(x[0], x[1], x[2], Activation::None); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({2, 3}), draw.normal({0, 3}), draw.normal({0})};
           }},
  };
  run_op_cases(cases);
}

TEST_CASE("linear_joined") {
  const OpCase cases[] = {
      {.op = "linear_joined",
       .what = "weights apart",
       .inputs = three_layers,
       .function = join_three,
       .twin = three_alone,
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 5}), draw.normal({4, 5}), draw.normal({2, 5}), draw.normal({3, 5}),
                           draw.normal({4}),    draw.normal({2}),    draw.normal({3})};
           }},
      {.op = "linear_joined",
       .what = "weights in one storage",
       .inputs = [](Draw& draw) { return in_one_storage(three_layers(draw)); },
       .function = join_three,
       .twin = three_alone},
      {.op = "linear_joined",
       .what = "no biases",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({3, 2}), draw.normal({4, 2}), draw.normal({1, 2})};
           },
       .function =
           [](const Inputs& x) {
             return linear_joined(x[0], {x[1], x[2]}, {});
           },
       .twin =
           [](const Inputs& x) {
             return concat({linear(x[0], x[1]), linear(x[0], x[2])}, 1);
           }},
  };
  run_op_cases(cases);
}

TEST_CASE("linear_joined: one storage or several give the same, and gradients that stay apart") {
  Draw draw(11);
  const Inputs apart = as_leaves(three_layers(draw), DType::Float32, {}, true);
  const Inputs together = as_leaves(in_one_storage(apart), DType::Float32, {}, true);
  REQUIRE(together[2].storage() == together[1].storage());
  const OpResult once = evaluate(join_three, together, true);
  check_equal(once, evaluate(join_three, apart, true), 1e-6, "joined");
  // A second pass adds to what is there, and a write into one gradient reaches no other.
  OpResult twice = evaluate(join_three, together, true);
  for (std::size_t i = 1; i < together.size(); ++i) {
    Tensor gradient = together[i].grad();
    CHECK(gradient.is_contiguous());
    gradient.add_(gradient, -0.5);
  }
  for (std::size_t i = 1; i < together.size(); ++i) twice.gradients[i] = doubles(together[i].grad());
  twice.gradients[0] = once.gradients[0];
  check_equal(twice, once, 1e-6, "half of two passes");
}

TEST_CASE("many rows: float32 against float64") {
  Draw draw(12);
  const Inputs inputs = {draw.normal({1100, 40}), draw.normal({33, 40}, 0.3), draw.normal({33})};
  for (Activation activation : {Activation::None, Activation::Gelu, Activation::Tanh}) {
    const OpFunction function = [=](const Inputs& x) { return linear(x[0], x[1], x[2], activation); };
    const OpResult wanted = evaluate(function, as_leaves(inputs, DType::Float64, {}, true), true);
    const OpResult got = evaluate(function, as_leaves(inputs, DType::Float32, {}, true), true);
    check_equal(got, wanted, 1e-6, "float32");
  }
}

TEST_CASE("errors") {
  const Tensor x = Tensor::ones({21, 384}), weight = Tensor::ones({768, 768}), bias = Tensor::ones({5});
  const Tensor integer = Tensor::ones({2, 2}, {DType::Int64}), wide = Tensor::ones({4, 3}, {DType::Float64});
  const ErrorCase cases[] = {
      {"linear", [&] { linear(x, weight); },
       "[linear] input has 384 features, weight wants 768: input (21, 384), weight (768, 768)"},
      {"linear", [&] { linear(Tensor::ones({3}), weight); }, "[linear] the input must be [T, in], got (3,)"},
      {"linear", [&] { linear(weight, weight, bias); },
       "the bias must be (768,) for weight (768, 768), got (5,)"},
      {"linear", [&] { linear(Tensor(), weight); }, "[linear] the input is undefined"},
      {"linear",
       [&] {
         linear(Tensor::ones({2, 3}), wide);
       },
       "operands differ: (2, 3) float32"},
      {"matmul", [&] { matmul(x, weight); }, "[matmul] inner sizes differ: (21, 384) x (768, 768)"},
      {"matmul",
       [&] {
         matmul(Tensor::ones({2, 3, 4}), Tensor::ones({3, 4, 5}));
       },
       "leading sizes differ: (2, 3, 4) x (3, 4, 5)"},
      {"matmul",
       [&] {
         matmul(Tensor::ones({3, 4}), Tensor::ones({2, 4, 5}));
       },
       "leading sizes differ"},
      {"matmul", [&] { matmul(Tensor::ones({4}), weight); },
       "[matmul] needs matrices, got (4,) and (768, 768)"},
      {"matmul", [&] { matmul(integer, integer); }, "must be a floating tensor, got int64"},
      {"linear_joined", [&] { linear_joined(x, {}, {}); }, "[linear_joined] no weights given"},
      {"linear_joined",
       [&] {
         linear_joined(weight, {weight, weight}, {Tensor::ones({768})});
       },
       "2 weights and 1 biases"},
      {"linear_joined", [&] { linear_joined(x, {weight}, {}); }, "[linear_joined] input has 384 features"},
  };
  run_error_cases(cases);
}

// Below 129 rows the CPU has a kernel of its own. Values are small whole numbers: sums are exact in any
// order.
TEST_CASE("products with few rows") {
  Draw draw(5);
  for (const std::int64_t m : {1, 2, 17, 64, 128, 129}) {
    for (const std::int64_t n : {64, 97, 200}) {
      for (const std::int64_t k : {64, 131, 300}) {
        const Tensor a = draw.integers({m, k + 3}, -8, 9).to(DType::Float32).slice(1, 2, k + 2);
        const Tensor b = draw.integers({k, n + 1}, -8, 9).to(DType::Float32).slice(1, 1, n + 1);
        const std::vector<double> left = doubles(a.contiguous()), right = doubles(b.contiguous());
        std::vector<double> wanted(static_cast<std::size_t>(m * n));
        for (std::int64_t i = 0; i < m; ++i) {
          for (std::int64_t p = 0; p < k; ++p) {
            for (std::int64_t j = 0; j < n; ++j) {
              wanted[static_cast<std::size_t>(i * n + j)] +=
                  left[static_cast<std::size_t>(i * k + p)] * right[static_cast<std::size_t>(p * n + j)];
            }
          }
        }
        CAPTURE(m);
        CAPTURE(n);
        CAPTURE(k);
        CHECK(doubles(matmul(a, b)) == wanted);
        CHECK(doubles(matmul(a, b.transpose(0, 1).contiguous().transpose(0, 1))) == wanted);
        CHECK(doubles(matmul(a.to(DType::Float64), b.to(DType::Float64))) == wanted);
      }
    }
  }
}
