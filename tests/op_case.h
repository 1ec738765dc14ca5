// Op tests as tables: a row names an op, makes inputs and calls it; run_op_cases() does everything else that
// holds for each op. A new op adds a row here and its name in autograd/op_list.h; tests/test_op_rows.cpp
// misses it otherwise.
//
//   const OpCase cases[] = {
//       {.op = "add", .what = "broadcast row",
//        .inputs = [](Draw& draw) { return Inputs{draw.normal({3, 4}), draw.normal({4})}; },
//        .function = [](const Inputs& x) { return add(x[0], x[1]); },
//        .zero_inputs = [](Draw& draw) { return Inputs{draw.normal({0, 4}), draw.normal({4})}; }},
//   };
//   TEST_CASE("add") { run_op_cases(cases); }
//
// Each row is checked for: gradients against finite differences (float64); float32 against float64, values
// and gradients; strided inputs; a zero-size variant; its composed twin; that nothing is computed for frozen
// inputs; and every other device of this build.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/engine.h"
#include "autograd/node.h"
#include "autograd/random.h"
#include "autograd/testing/gradcheck.h"

namespace sesame::testing {

using Inputs = std::vector<Tensor>;
using OpFunction = std::function<Tensor(const Inputs&)>;

// Makes inputs: float64 tensors whose values are exact in float32, so that both precisions compute the same
// thing.
class Draw {
 public:
  explicit Draw(std::uint64_t key) : random_(key) {}

  Tensor normal(const Shape& shape, double scale = 1, double shift = 0) {
    return make(shape, [&] { return shift + scale * random_.normal(); });
  }
  Tensor uniform(const Shape& shape, double low, double high) {
    return make(shape, [&] { return low + (high - low) * random_.uniform(); });
  }
  // Normal values with |x| >= gap: for functions with a kink at 0.
  Tensor away_from_zero(const Shape& shape, double gap = 0.05) {
    return make(shape, [&] {
      const double x = random_.normal();
      return x + (x < 0 ? -gap : gap);
    });
  }
  // int64 in [low, high).
  Tensor integers(const Shape& shape, std::int64_t low, std::int64_t high) {
    std::vector<std::int64_t> values(static_cast<std::size_t>(shape.numel()));
    for (auto& v : values)
      v = low + static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(high - low)));
    return Tensor::from(values, shape);
  }

 private:
  template <class Next>
  Tensor make(const Shape& shape, Next next) {
    std::vector<double> values(static_cast<std::size_t>(shape.numel()));
    for (double& value : values) value = static_cast<double>(static_cast<float>(next()));
    return Tensor::from(values, shape);
  }
  RandomStream random_;
};

// Functions that capture something with a device (Segments) move it to x[0].device().
struct OpCase {
  const char* op = "";    // as in autograd/op_list.h
  const char* what = "";  // what is special about this row
  // Floating inputs become leaves that require a gradient; integer and undefined ones stay as they are.
  std::function<Inputs(Draw&)> inputs = nullptr;
  OpFunction function = nullptr;
  OpFunction twin = nullptr;                           // the same from plain ops
  std::function<Inputs(Draw&)> zero_inputs = nullptr;  // some sizes are 0
  OpFunction zero_function = nullptr;                  // default: function
  double tolerance = 1e-5;                             // float32 against float64, relative to the norm
  GradcheckOptions gradcheck = {};
  bool differentiable = true;
  bool strided = true;     // run with strided inputs as well
  bool large = false;      // too many elements for finite differences
  double bfloat16 = 2e-2;  // tolerance on devices that compute in bfloat16; 0: the op has no such kernel
};

// A call that must throw sesame::Error with `expected` somewhere in its text.
struct ErrorCase {
  const char* op = "";
  std::function<void()> call = nullptr;
  const char* expected = "";
};

// --- pieces of the runner, useful alone ----------------------------------------------------------

inline bool is_real(const Tensor& x) { return x.defined() && is_floating(x.dtype()); }

inline Inputs as_leaves(const Inputs& inputs, DType dtype, Device device, bool requires_grad) {
  Inputs leaves;
  for (const Tensor& x : inputs) {
    if (!is_real(x)) {
      leaves.push_back(x.defined() ? x.to(device) : x);
      continue;
    }
    Tensor leaf = x.to(dtype).to(device).detach();
    leaf.set_requires_grad(requires_grad);
    leaves.push_back(leaf);
  }
  return leaves;
}

struct OpResult {
  std::vector<double> value;
  Shape shape;
  std::vector<std::vector<double>> gradients;  // empty where an input has none
};

inline std::vector<double> doubles(const Tensor& x) {
  return x.detach().to(DType::Float64).to_vector<double>();
}

// Values, and the gradients for a fixed random gradient of the output.
inline OpResult evaluate(const OpFunction& function, const Inputs& leaves, bool differentiable) {
  const Tensor y = function(leaves);
  OpResult result{doubles(y), y.shape(), {}};
  if (!differentiable) return result;
  Draw draw(77);
  backward(y, {draw.uniform(y.shape(), -1, 1).to(y.dtype()).to(y.device()), false});
  for (const Tensor& leaf : leaves) {
    const bool has = leaf.defined() && leaf.grad().defined();
    result.gradients.push_back(has ? doubles(leaf.grad()) : std::vector<double>{});
  }
  return result;
}

// |a - b| relative to |b|; infinite for different sizes or a NaN on one side.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] == b[i]) continue;  // also equal infinities
    difference += (a[i] - b[i]) * (a[i] - b[i]);
  }
  for (double x : b) norm += std::isfinite(x) ? x * x : 0;
  if (difference == 0) return 0;
  // Where everything cancels, absolute errors of 1e-2 of the tolerance still pass.
  const double error =
      std::sqrt(difference) / (std::sqrt(norm) + 1e-2 * std::sqrt(static_cast<double>(a.size())));
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

inline void check_equal(const OpResult& got, const OpResult& wanted, double tolerance,
                        const std::string& what) {
  CHECK_MESSAGE(got.shape == wanted.shape, what, ": shape ", got.shape.str(), ", expected ",
                wanted.shape.str());
  const double value = relative_error(got.value, wanted.value);
  CHECK_MESSAGE(value <= tolerance, what, ": values differ by ", value);
  CHECK(got.gradients.size() == wanted.gradients.size());
  for (std::size_t i = 0; i < got.gradients.size(); ++i) {
    const double gradient = relative_error(got.gradients[i], wanted.gradients[i]);
    CHECK_MESSAGE(gradient <= tolerance, what, ": gradients of input ", i, " differ by ", gradient);
  }
}

// Shifted: contiguous, but one element after an aligned address.
enum class Layout { Transposed, PaddedRows, Steps, Shifted };

// The same values with other strides; memory between them holds NaN (floating) or a large number.
inline Tensor with_layout(const Tensor& x, Layout layout) {
  if (!x.defined()) return x;
  if (x.dim() == 0) return x.clone();
  if (layout == Layout::Transposed) {
    std::vector<int> reversed;
    for (int i = x.dim() - 1; i >= 0; --i) reversed.push_back(i);
    return x.permute(reversed).clone().permute(reversed);
  }
  Shape outside = layout == Layout::Shifted ? Shape{x.numel() + 1} : x.shape();
  if (layout == Layout::PaddedRows) {
    outside[-1] += 3;
  } else if (layout == Layout::Steps) {
    for (int i = 0; i < x.dim(); ++i) outside[i] = 2 * outside[i] + 1;
  }
  const Tensor memory =
      Tensor::full(outside, is_real(x) ? std::numeric_limits<double>::quiet_NaN() : 1 << 20, x.options());
  Strides strides = contiguous_strides(layout == Layout::Shifted ? x.shape() : outside);
  if (layout == Layout::Steps) {
    for (int i = 0; i < x.dim(); ++i) strides[i] *= 2;
  }
  Tensor part = memory.alias(x.shape(), strides, 1);
  return part.copy_(x);
}

inline void check_layouts(const OpCase& row, const Inputs& inputs, const OpResult& wanted,
                          const std::string& name) {
  for (const auto& [layout, label] :
       {std::pair{Layout::Transposed, "transposed"}, std::pair{Layout::PaddedRows, "padded rows"},
        std::pair{Layout::Steps, "steps"}}) {
    Inputs strided;
    for (const Tensor& x : inputs) {
      Tensor leaf = with_layout(x, layout);
      if (is_real(leaf)) leaf.set_requires_grad(row.differentiable);
      strided.push_back(leaf);
    }
    check_equal(evaluate(row.function, strided, row.differentiable), wanted, 1e-12,
                name + ", inputs with " + label);
  }
}

inline void check_zero_size(const OpCase& row, const std::string& name) {
  Draw draw(3);
  for (DType dtype : {DType::Float64, DType::Float32}) {
    const Inputs leaves = as_leaves(row.zero_inputs(draw), dtype, {}, row.differentiable);
    const OpResult result =
        evaluate(row.zero_function ? row.zero_function : row.function, leaves, row.differentiable);
    for (double x : result.value) CHECK_MESSAGE(std::isfinite(x), name, ", zero size: value ", x);
    for (std::size_t i = 0; i < result.gradients.size(); ++i) {
      if (!is_real(leaves[i])) continue;
      CHECK_MESSAGE(leaves[i].grad().defined(), name, ", zero size: no gradient for input ", i);
      for (double x : result.gradients[i]) CHECK_MESSAGE(std::isfinite(x), name, ", zero size: gradient ", x);
    }
  }
}

// Every node behind y computes gradients of the inputs it was asked for and of no other.
inline void check_only_wanted(const Tensor& y, const std::string& name) {
  NoGradGuard no_grad;
  std::vector<std::shared_ptr<Node>> nodes = {y.grad_fn()};
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::shared_ptr<Node> node = nodes[n];
    const Tensor seed = Tensor::ones(node->shape(), {node->dtype(), y.device()});
    const std::vector<Tensor> results = node->run(seed);
    for (std::size_t i = 0; i < results.size(); ++i) {
      CHECK_MESSAGE(results[i].defined() == node->edges()[i].wanted(), name, ": node ", node->op(),
                    ", input ", i,
                    node->edges()[i].wanted() ? ": no gradient" : ": a gradient that nobody wants");
      const auto& next = node->edges()[i].node;
      if (next != nullptr && std::find(nodes.begin(), nodes.end(), next) == nodes.end())
        nodes.push_back(next);
    }
  }
}

// With only input i requiring a gradient, the node wants that one alone and its gradient is the same; with
// none, nothing is recorded.
inline void check_frozen(const OpCase& row, const Inputs& inputs, const OpResult& wanted,
                         const std::string& name) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!is_real(inputs[i])) continue;
    Inputs leaves = as_leaves(inputs, DType::Float64, {}, false);
    leaves[i].set_requires_grad(true);
    check_only_wanted(row.function(leaves), name);
    const OpResult result = evaluate(row.function, leaves, true);
    const double error = relative_error(result.gradients[i], wanted.gradients[i]);
    CHECK_MESSAGE(error <= 1e-12, name, ", others frozen: gradient of input ", i, " differs by ", error);
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      if (j != i) CHECK_MESSAGE(result.gradients[j].empty(), name, ": frozen input ", j, " got a gradient");
    }
  }
  const Tensor y = row.function(as_leaves(inputs, DType::Float64, {}, false));
  CHECK_MESSAGE(!y.requires_grad(), name, ": recorded without need");
}

// Another device against float64 here: float32, the same bits again, inputs that begin at odd addresses, and
// bfloat16 on inputs that are exact in it.
inline void check_device(const OpCase& row, const Inputs& inputs, const OpResult& wanted, Device device,
                         const std::string& name) {
  const std::string what = name + ", " + device.name();
  const auto there = [&](DType dtype) {
    return evaluate(row.function, as_leaves(inputs, dtype, device, row.differentiable), row.differentiable);
  };
  const auto laid_out = [&](DType dtype, Layout layout) {
    Inputs leaves;
    for (const Tensor& x : as_leaves(inputs, dtype, device, false)) {
      Tensor leaf = with_layout(x, layout);
      if (is_real(leaf)) leaf.set_requires_grad(row.differentiable);
      leaves.push_back(leaf);
    }
    return evaluate(row.function, leaves, row.differentiable);
  };
  const OpResult single = there(DType::Float32);
  check_equal(single, wanted, row.tolerance, what);
  check_equal(there(DType::Float32), single, 0, what + ", again");
  if (row.strided) {
    check_equal(laid_out(DType::Float32, Layout::Steps), single, row.tolerance, what + ", strided");
    check_equal(laid_out(DType::Float32, Layout::Shifted), single, row.tolerance, what + ", shifted");
  }
  if (row.zero_inputs) {
    Draw draw(3);
    const Inputs leaves = as_leaves(row.zero_inputs(draw), DType::Float32, device, row.differentiable);
    const OpResult result =
        evaluate(row.zero_function ? row.zero_function : row.function, leaves, row.differentiable);
    for (double x : result.value) CHECK_MESSAGE(std::isfinite(x), what, ", zero size: value ", x);
  }
  if (row.bfloat16 == 0) return;
  const Inputs rounded =
      as_leaves(as_leaves(inputs, DType::BFloat16, {}, false), DType::Float64, {}, row.differentiable);
  const OpResult half = there(DType::BFloat16);
  check_equal(half, evaluate(row.function, rounded, row.differentiable), row.bfloat16, what + ", bfloat16");
  if (row.strided)
    check_equal(laid_out(DType::BFloat16, Layout::Shifted), half, row.bfloat16, what + ", bfloat16, shifted");
}

inline void run_op_case(const OpCase& row) {
  const std::string name = std::string(row.op) + " (" + row.what + ")";
  CAPTURE(name);
  Draw draw(hash_text(name));
  const Inputs inputs = row.inputs(draw);
  const Inputs leaves = as_leaves(inputs, DType::Float64, {}, row.differentiable);
  const OpResult wanted = evaluate(row.function, leaves, row.differentiable);
  if (row.differentiable && !row.large) {
    const std::string error = gradcheck(row.function, leaves, row.gradcheck);
    CHECK_MESSAGE(error.empty(), name, ": ", error);
    check_frozen(row, inputs, wanted, name);
  }
  const Inputs single = as_leaves(inputs, DType::Float32, {}, row.differentiable);
  check_equal(evaluate(row.function, single, row.differentiable), wanted, row.tolerance, name + ", float32");
  if (row.strided) check_layouts(row, inputs, wanted, name);
  if (row.zero_inputs) check_zero_size(row, name);
  if (row.twin) {
    const Inputs again = as_leaves(inputs, DType::Float64, {}, row.differentiable);
    check_equal(evaluate(row.twin, again, row.differentiable), wanted, 1e-10, name + ", composed twin");
  }
  for (int index = 0; index < cuda::device_count(); ++index) {
    check_device(row, inputs, wanted, {Device::Type::Cuda, index}, name);
  }
}

inline void run_op_cases(std::span<const OpCase> rows) {
  for (const OpCase& row : rows) {
    try {
      run_op_case(row);
    } catch (const Error& error) {
      FAIL_CHECK(row.op << " (" << row.what << ") threw: " << error.what());
    }
  }
}

// The text of the Error that `call` throws; empty when it throws none.
inline std::string error_text(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline void run_error_cases(std::span<const ErrorCase> rows) {
  for (const ErrorCase& row : rows) {
    const std::string text = error_text(row.call);
    const bool found = text.find(row.expected) != std::string::npos;
    CHECK_MESSAGE(found, std::string(row.op), ": expected \"", std::string(row.expected), "\", got \"", text,
                  "\"");
    CHECK_MESSAGE(text.find('\n') == std::string::npos, std::string(row.op), ": more than one line: ", text);
  }
}

}  // namespace sesame::testing
