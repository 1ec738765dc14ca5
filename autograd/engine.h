// Runs the recorded graph backwards.
#pragma once

#include <functional>
#include <string>

#include "autograd/tensor.h"

namespace sesame {

struct BackwardOptions {
  Tensor grad = {};           // gradient of the root; default: one, for a root with one element
  bool retain_graph = false;  // keep saved tensors for a second pass
  // Called for each leaf as soon as its gradient is complete, while the pass goes on: for work that overlaps.
  std::function<void(const Tensor& leaf)> leaf_done = {};
};

// Adds d root / d leaf to the gradient of every leaf that requires one. Iterative: depth costs no stack.
void backward(const Tensor& root, const BackwardOptions& options = {});

// Sums `grad` over the axes along which `shape` was broadcast.
Tensor sum_to(const Tensor& grad, const Shape& shape);

// The only place where gradients of leaves accumulate: checks shape, dtype and device.
void accumulate_grad(Tensor leaf, Tensor grad);

// The recorded graph behind `root`: one line per node with op, shape, inputs and saved tensors; or Graphviz.
std::string graph_to_text(const Tensor& root);
std::string graph_to_dot(const Tensor& root);

}  // namespace sesame
