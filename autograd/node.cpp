#include "autograd/node.h"

#include <algorithm>

#include "autograd/check.h"

namespace sesame {

Tensor record_output(Tensor out, std::shared_ptr<Node> node);  // tensor.cpp

SavedTensor::SavedTensor(const Tensor& tensor) {
  if (!tensor.defined()) return;
  tensor_ = tensor.detach();
  version_ = tensor.version();
}

const Tensor& SavedTensor::unpack(const char* op) const {
  if (tensor_.defined()) {
    SESAME_CHECK(
        tensor_.version() == version_, op,
        "a {} tensor {} saved for backward was changed in place: version {}, expected {}; clone() it before "
        "writing, or write after backward()",
        dtype_name(tensor_.dtype()), tensor_.shape(), tensor_.version(), version_);
  }
  return tensor_;
}

Backward::Backward(const Node& node, const Tensor& grad)
    : node_(node), grad_(grad), results_(node.edges().size()) {}

bool Backward::wanted(std::size_t i) const { return node_.edges().at(i).wanted(); }

const Tensor& Backward::saved(std::size_t i) const { return node_.saved().at(i).unpack(node_.op()); }

void Backward::give(std::size_t i, Tensor grad) { results_.at(i) = std::move(grad); }

Node::Node(const char* op, const Tensor& out, const std::vector<Tensor>& inputs,
           const std::vector<Tensor>& saved, BackwardFunction backward)
    : op_(op), shape_(out.shape()), dtype_(out.dtype()), backward_(std::move(backward)) {
  edges_.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    Edge edge;
    if (input.defined()) edge.shape = input.shape();
    if (input.grad_fn() != nullptr) {
      edge.node = input.grad_fn();
    } else if (input.requires_grad()) {
      edge.leaf = input;
    }
    edges_.push_back(std::move(edge));
  }
  saved_.reserve(saved.size());
  for (const Tensor& tensor : saved) saved_.emplace_back(tensor);
}

Node::~Node() {
  // A destructor that let its edges die would recurse once per node of the chain. Nodes that nobody else
  // holds are linked into a list instead, which needs no memory: a destructor could not report that there is
  // none.
  std::shared_ptr<Node> doomed;
  const auto take = [&doomed](std::vector<Edge>& edges) {
    for (Edge& edge : edges) {
      if (edge.node.use_count() == 1) {
        edge.node->next_doomed_ = std::move(doomed);
        doomed = std::move(edge.node);
      }
      edge.node.reset();
    }
  };
  take(edges_);
  while (doomed != nullptr) {
    const std::shared_ptr<Node> node = std::move(doomed);
    doomed = std::move(node->next_doomed_);
    take(node->edges_);
  }
}

std::vector<Tensor> Node::run(const Tensor& grad) const {
  SESAME_CHECK(!released_, op_,
               "backward() ran through this graph before and freed it: pass retain_graph to keep it");
  Backward context(*this, grad);
  backward_(context);
  return context.take_results();
}

void Node::release() {
  released_ = true;
  backward_ = nullptr;
  for (SavedTensor& saved : saved_) saved.release();
}

bool will_record(const std::vector<Tensor>& inputs) {
  return grad_enabled() &&
         std::any_of(inputs.begin(), inputs.end(), [](const Tensor& input) { return input.requires_grad(); });
}

Tensor record(const char* op, const Tensor& out, const std::vector<Tensor>& inputs,
              const std::vector<Tensor>& saved, BackwardFunction backward) {
  if (!will_record(inputs)) return out;
  return record_output(out, std::make_shared<Node>(op, out, inputs, saved, std::move(backward)));
}

}  // namespace sesame
