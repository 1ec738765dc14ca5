// Checks the op of this project with Sesame's own gradient checker. Exit code 1 when something is wrong.
#include <sesame/autograd/check.h>
#include <sesame/autograd/random.h>
#include <sesame/autograd/testing/gradcheck.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "cosine_scores.h"

namespace {

using sesame::Tensor;

int failures = 0;

void expect(bool good, const std::string& what) {
  std::printf("%s %s\n", good ? "ok  " : "FAIL", what.c_str());
  if (!good) ++failures;
}

// A float64 leaf with normal values.
Tensor leaf(const sesame::Shape& shape, std::uint64_t key) {
  sesame::RandomStream random(key);
  std::vector<double> values(static_cast<std::size_t>(shape.numel()));
  for (double& value : values) value = random.normal();
  Tensor x = Tensor::from(values, shape);
  return x.set_requires_grad(true);
}

void check_gradients() {
  const auto op = [](const std::vector<Tensor>& x) { return outside::cosine_scores(x[0], x[1]); };
  using Sizes = std::array<std::int64_t, 3>;
  for (const auto& [n, m, d] : {Sizes{3, 4, 5}, Sizes{1, 1, 1}, Sizes{6, 2, 9}, Sizes{0, 3, 4}}) {
    const std::string wrong = sesame::testing::gradcheck(op, {leaf({n, d}, 1), leaf({m, d}, 2)});
    expect(wrong.empty(), "gradients of [" + std::to_string(n) + ", " + std::to_string(d) + "] and [" +
                              std::to_string(m) + ", " + std::to_string(d) + "] " + wrong);
  }
  Tensor frozen = leaf({4, 5}, 2);
  frozen.set_requires_grad(false);
  const std::string wrong = sesame::testing::gradcheck(op, {leaf({3, 5}, 1), frozen});
  expect(wrong.empty(), "gradients with the right side frozen " + wrong);
}

void check_values() {
  const Tensor a = Tensor::from(std::vector<double>{1, 0, 3, 4, 0, 0}, {3, 2});
  const Tensor b = Tensor::from(std::vector<double>{2, 0}, {1, 2});
  const std::vector<double> y = outside::cosine_scores(a, b).to_vector<double>();
  expect(std::abs(y[0] - 1) < 1e-9 && std::abs(y[1] - 0.6) < 1e-9 && y[2] == 0, "values");
}

void check_errors() {
  std::string text;
  try {
    outside::cosine_scores(Tensor::ones({2, 3}), Tensor::ones({2, 4}));
  } catch (const sesame::Error& error) {
    text = error.what();
  }
  expect(text == "[cosine_scores] wants [N, D] and [M, D], got (2, 3) and (2, 4)", "error text");
}

}  // namespace

int main() {
  check_values();
  check_gradients();
  check_errors();
  return failures == 0 ? 0 : 1;
}
