// The recorded graph. An op that wants a gradient calls record() with its output, its inputs, what its
// backward needs and the backward itself, written right below the forward:
//
//   return record("tanh", y, {x}, {y}, [](Backward& b) {
//     b.give(0, tanh_backward(b.grad(), b.saved(0)));   // asked only when wanted(0)
//   });
//
// Every node has one output. Backward functions run without recording: there are no gradients of gradients.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autograd/tensor.h"

namespace sesame {

// A tensor kept for the backward pass together with the version of its memory. It holds no history, so a
// saved output makes no cycle.
class SavedTensor {
 public:
  explicit SavedTensor(const Tensor& tensor);
  // Throws Error when the memory was written in place since (names `op`, the shape and both versions).
  const Tensor& unpack(const char* op) const;
  void release() { tensor_ = Tensor(); }
  const Tensor& peek() const { return tensor_; }

 private:
  Tensor tensor_;
  std::uint32_t version_ = 0;
};

// What a backward function sees and fills.
class Backward {
 public:
  Backward(const class Node& node, const Tensor& grad);
  // Gradient of the output; contiguous, shape and dtype of the output.
  const Tensor& grad() const { return grad_; }
  // Whether the gradient of input i is needed: nothing is computed for frozen inputs.
  bool wanted(std::size_t i) const;
  // Saved tensor i, version checked.
  const Tensor& saved(std::size_t i) const;
  // Hands over the gradient of input i. Its shape may be the broadcast shape of the op: the engine sums it
  // down.
  void give(std::size_t i, Tensor grad);
  std::vector<Tensor> take_results() { return std::move(results_); }

 private:
  const Node& node_;
  Tensor grad_;
  std::vector<Tensor> results_;
};

using BackwardFunction = std::function<void(Backward&)>;

// Where a gradient goes: to the node that made the input, or into the leaf itself; nowhere when not wanted.
struct Edge {
  std::shared_ptr<Node> node;
  Tensor leaf;
  Shape shape;  // of the input
  bool wanted() const { return node != nullptr || leaf.defined(); }
};

class Node {
 public:
  Node(const char* op, const Tensor& out, const std::vector<Tensor>& inputs, const std::vector<Tensor>& saved,
       BackwardFunction backward);
  // Frees long chains without recursion.
  ~Node();

  const char* op() const { return op_; }
  const Shape& shape() const { return shape_; }  // of the output
  DType dtype() const { return dtype_; }
  const std::vector<Edge>& edges() const { return edges_; }
  const std::vector<SavedTensor>& saved() const { return saved_; }
  bool released() const { return released_; }
  // Gradients of the inputs (undefined where not wanted), in the order of the inputs.
  std::vector<Tensor> run(const Tensor& grad) const;
  // Drops saved tensors and the backward function; edges stay for printing.
  void release();

 private:
  const char* op_;
  Shape shape_;
  DType dtype_;
  std::vector<Edge> edges_;
  std::vector<SavedTensor> saved_;
  BackwardFunction backward_;
  std::shared_ptr<Node> next_doomed_;  // while a long chain is freed
  bool released_ = false;
};

// Attaches history to `out` when recording is on and an input requires a gradient; else returns it as it is.
// `op` must be a string literal. Undefined inputs are allowed (optional arguments) and never wanted.
Tensor record(const char* op, const Tensor& out, const std::vector<Tensor>& inputs,
              const std::vector<Tensor>& saved, BackwardFunction backward);

// Whether record() would attach history: lets an op skip work that only its backward needs.
bool will_record(const std::vector<Tensor>& inputs);

}  // namespace sesame
