#include <doctest/doctest.h>

#include "autograd/allocator.h"
#include "autograd/engine.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Doubles = std::vector<double>;

Tensor leaf(const Doubles& values) {
  Tensor x = Tensor::from(values);
  x.set_requires_grad(true);
  return x;
}

// Doubles x and counts how often its backward runs.
Tensor counted(const Tensor& x, int& calls) {
  Tensor y;
  {
    NoGradGuard no_grad;
    y = x * 2;
  }
  return record("counted", y, {x}, {}, [&calls](Backward& b) {
    ++calls;
    if (b.wanted(0)) b.give(0, b.grad() * 2);
  });
}

}  // namespace

TEST_CASE("a diamond: a node runs once, after all its consumers") {
  int calls = 0;
  Tensor x = leaf({1, 2});
  const Tensor y = counted(x, calls);
  const Tensor left = square(y), right = exp(y), longer = tanh(neg(left));
  backward(sum(left + right + longer));
  CHECK(calls == 1);
  for (std::size_t i = 0; i < 2; ++i) {
    const double v = 2.0 * static_cast<double>(i + 1), t = std::tanh(-v * v);
    CHECK(x.grad().to_vector<double>()[i] ==
          doctest::Approx(2 * (2 * v + std::exp(v) - 2 * v * (1 - t * t))));
  }
}

TEST_CASE("one tensor as several inputs") {
  Tensor x = leaf({3, -2});
  backward(sum(x * x + x));
  CHECK(x.grad().to_vector<double>() == Doubles{7, -3});
  x.zero_grad();
  CHECK(!x.grad().defined());
  const Tensor y = x * 3;
  backward(sum((y + y) - y));
  CHECK(x.grad().to_vector<double>() == Doubles{3, 3});
}

TEST_CASE("gradients accumulate until they are cleared, and never alias") {
  Tensor x = leaf({1, 2}), z = leaf({5, 5});
  backward(sum(x + z));
  Tensor(x.grad()).fill_(10);
  CHECK(z.grad().to_vector<double>() == Doubles{1, 1});
  backward(sum(x * 2));
  CHECK(x.grad().to_vector<double>() == Doubles{12, 12});

  // The caller's own gradient of the root is not written to, however often it is added.
  const Tensor seed = Tensor::from(Doubles{1, 1});
  Tensor w = leaf({0, 0});
  for (int i = 0; i < 3; ++i) backward(w + x, {.grad = seed});
  CHECK(w.grad().to_vector<double>() == Doubles{3, 3});
  CHECK(seed.to_vector<double>() == Doubles{1, 1});
  Tensor alone = leaf({0, 0});
  backward(alone, {.grad = seed});
  backward(alone, {.grad = seed});
  CHECK(alone.grad().to_vector<double>() == Doubles{2, 2});
  CHECK(seed.to_vector<double>() == Doubles{1, 1});
}

TEST_CASE("a second pass needs retain_graph") {
  Tensor x = leaf({2});
  const Tensor y = square(x);
  backward(y, {.retain_graph = true});
  backward(y);
  CHECK(x.grad().item() == 8);
  const ErrorCase cases[] = {
      {"backward", [&] { backward(y); },
       "[square] backward() ran through this graph before and freed it: pass retain_graph"}};
  run_error_cases(cases);
  CHECK(x.grad().item() == 8);
}

TEST_CASE("nothing is computed for frozen inputs") {
  int calls = 0;
  Tensor x = leaf({1, 2}), frozen = Tensor::from(Doubles{3, 4});
  const Tensor branch = counted(frozen, calls);  // not recorded
  CHECK(!branch.requires_grad());
  const Tensor y = x * branch;
  backward(sum(y));
  CHECK(calls == 0);
  CHECK(x.grad().to_vector<double>() == Doubles{6, 8});
  CHECK(!frozen.grad().defined());

  // mul keeps only what the wanted gradient needs, and computes one product in its backward.
  const Tensor z = x * frozen;
  CHECK(!z.grad_fn()->saved()[0].peek().defined());
  const std::uint64_t before = allocator_stats().requests;
  const std::vector<Tensor> results = z.grad_fn()->run(Tensor::ones({2}, {DType::Float64}));
  CHECK(allocator_stats().requests - before <= 2);  // the test's own ones, and one product
  CHECK(results[0].defined());
  CHECK(!results[1].defined());

  frozen.set_requires_grad(true).set_requires_grad(false);
  CHECK(!(frozen * frozen).requires_grad());
}

TEST_CASE("NoGradGuard records nothing and restores what was before") {
  Tensor x = leaf({1});
  {
    NoGradGuard outer;
    CHECK(!grad_enabled());
    { NoGradGuard inner; }
    CHECK(!grad_enabled());
    CHECK(!square(x).requires_grad());
    x.add_(Tensor::from(Doubles{1}));  // an optimiser's update
  }
  CHECK(grad_enabled());
  CHECK(square(x).requires_grad());
  CHECK(x.item() == 2);
}

TEST_CASE("detach cuts the graph") {
  Tensor x = leaf({3});
  const Tensor y = square(x);
  backward(x * y.detach());
  CHECK(x.grad().item() == 9);
}

TEST_CASE("a saved tensor that was written to is noticed") {
  Tensor x = leaf({1, 2, 3});
  const Tensor loss = sum(square(x));
  {
    NoGradGuard no_grad;
    x.slice(0, 0, 1).fill_(5);
  }
  const ErrorCase cases[] = {{"square", [&] { backward(loss); },
                              "[square] a float64 tensor (3,) saved for backward was changed in place: "
                              "version 1, expected 0; clone()"}};
  run_error_cases(cases);
  // What is not saved may change.
  const Tensor other = sum(x * 2);
  {
    NoGradGuard no_grad;
    x.fill_(5);
  }
  backward(other);
  CHECK(x.grad().to_vector<double>() == Doubles{2, 2, 2});
}

TEST_CASE("a chain of 200,000 nodes goes backward and is freed") {
  Tensor x = leaf({1});
  for (const bool run : {true, false}) {
    Tensor y = x;
    for (int i = 0; i < 200000; ++i) y = y + x;
    CHECK(y.item() == 200001);
    if (run) {
      backward(y);
      CHECK(x.grad().item() == 200001);
    }
  }
  // Freed from the middle: the upper half goes while the lower one lives on.
  Tensor y = x;
  for (int i = 0; i < 100000; ++i) y = neg(y);
  const Tensor middle = y;
  for (int i = 0; i < 100000; ++i) y = neg(y);
  y = Tensor();
  x.zero_grad();
  backward(middle);
  CHECK(x.grad().item() == 1);
}

TEST_CASE("a graph keeps no memory after it is gone") {
  Tensor x = leaf(Doubles(1000, 1));
  const std::size_t before = allocator_stats().bytes_in_use;
  { const Tensor y = sum(tanh(exp(x * 0.1)) * x); }
  CHECK(allocator_stats().bytes_in_use == before);
  {
    const Tensor y = sum(tanh(exp(x * 0.1)) * x);
    const std::size_t recorded = allocator_stats().bytes_in_use;
    backward(y);
    x.zero_grad();
    CHECK(allocator_stats().bytes_in_use < recorded);  // saved tensors went, though y lives
  }
  CHECK(allocator_stats().bytes_in_use == before);
}

TEST_CASE("sum_to undoes broadcasting") {
  const Tensor g = Tensor::ones({2, 3, 4}, {DType::Float64});
  CHECK(sum_to(g, {3, 1}).to_vector<double>() == Doubles{8, 8, 8});
  CHECK(sum_to(g, {}).item() == 24);
  CHECK(sum_to(g, {2, 3, 4}).id() == g.id());
  CHECK(sum_to(Tensor::ones({2, 0}), {1, 0}).shape() == Shape{1, 0});
}

TEST_CASE("the printer shows the graph, also a released one") {
  Tensor w = Tensor::ones({4, 3});
  w.set_requires_grad(true);
  const Tensor loss = sum(tanh(w * Tensor::ones({3})));
  CHECK(graph_to_text(loss) ==
        "%0 = sum () float32 <- %1 (4, 3); saved\n"
        "%1 = tanh (4, 3) float32 <- %2 (4, 3); saved - (4, 3)\n"
        "%2 = mul (4, 3) float32 <- leaf (4, 3), constant (3,); saved - (3,)\n");
  const std::string dot = graph_to_dot(loss);
  CHECK(dot.starts_with("digraph sesame {"));
  CHECK(dot.ends_with("}\n"));
  for (const char* line :
       {"n0 [label=\"sum\\n()\"]", "n1 -> n0;", "n2 -> n1;", "l0 [label=\"leaf\\n(4, 3)\"", "l0 -> n2;"}) {
    CHECK_MESSAGE(dot.find(line) != std::string::npos, std::string(line));
  }
  backward(loss);
  CHECK(graph_to_text(loss) ==
        "%0 = sum () float32 <- %1 (4, 3); saved (released)\n"
        "%1 = tanh (4, 3) float32 <- %2 (4, 3); saved - - (released)\n"
        "%2 = mul (4, 3) float32 <- leaf (4, 3), constant (3,); saved - - (released)\n");
  CHECK(graph_to_text(Tensor::ones({1})).empty());
}

TEST_CASE("errors") {
  Tensor x = leaf({1, 2});
  const Tensor y = square(x);
  const auto wrong = [&](Tensor grad) {
    return record("wrong", y.detach(), {x}, {}, [grad](Backward& b) { b.give(0, grad); });
  };
  const ErrorCase cases[] = {
      {"backward", [&] { y.backward(); }, "[backward] the root (2,) is not a scalar"},
      {"backward", [&] { backward(y.detach()); }, "[backward] the root has no history"},
      {"backward", [] { backward(Tensor()); }, "[backward] the root has no history"},
      {"backward", [&] { backward(y, {.grad = Tensor::ones({3}, {DType::Float64})}); },
       "[backward] gradient (3,) float64 on cpu does not match root (2,)"},
      {"gradient's dtype", [&] { backward(wrong(Tensor::ones({2})), {.grad = y.detach()}); },
       "[accumulate_grad] gradient (2,) float32 on cpu does not fit leaf (2,) float64 on cpu"},
      {"gradient's shape",
       [&] { backward(wrong(Tensor::ones({3}, {DType::Float64})), {.grad = y.detach()}); },
       "[wrong] backward gave input 0 a gradient (3,) that does not fit its shape (2,)"},
      {"root's dtype", [&] { backward(y, {.grad = Tensor::ones({2})}); },
       "[backward] gradient (2,) float32 on cpu does not match root (2,) float64"},
  };
  run_error_cases(cases);
}

TEST_CASE("gradcheck finds wrong, missing and changing gradients") {
  Tensor x = leaf({0.5, 2});
  const auto with = [](BackwardFunction backward) {
    return [backward](const std::vector<Tensor>& in) {
      return record("mine", square(in[0].detach()), {in[0]}, {in[0]}, backward);
    };
  };
  CHECK(gradcheck(with([](Backward& b) { b.give(0, b.grad() * b.saved(0) * 2); }), {x}).empty());
  CHECK(gradcheck(with([](Backward& b) { b.give(0, b.grad() * b.saved(0)); }), {x}).find("element 0") !=
        std::string::npos);
  CHECK(gradcheck(with([](Backward&) {}), {x}).find("got no gradient") != std::string::npos);
  int calls = 0;
  CHECK(
      gradcheck(with([&calls](Backward& b) { b.give(0, b.grad() * b.saved(0) * (2 + 1e-9 * ++calls)); }), {x})
          .find("changes from run to run") != std::string::npos);
  CHECK(!gradcheck([](const std::vector<Tensor>& in) { return square(in[0]); }, {x.detach()}).empty());
  CHECK(!x.grad().defined());  // the caller's tensors are left alone
}
