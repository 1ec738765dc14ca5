#include "autograd/engine.h"

#include <unordered_map>
#include <vector>

#include "autograd/check.h"
#include "autograd/node.h"
#include "autograd/ops/reduce.h"

namespace sesame {
namespace {

struct Pending {
  int waiting = 0;  // consumers that have not delivered their gradient yet
  Tensor grad;
};

using PendingMap = std::unordered_map<Node*, Pending>;

// Counts, for every node reachable from root, how many gradients it will receive.
PendingMap count_consumers(Node* root) {
  PendingMap pending;
  pending[root];
  std::vector<Node*> stack = {root};
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (const Edge& edge : node->edges()) {
      if (edge.node == nullptr) continue;
      const auto [entry, inserted] = pending.try_emplace(edge.node.get());
      ++entry->second.waiting;
      if (inserted) stack.push_back(edge.node.get());
    }
  }
  return pending;
}

// How many edges lead to each leaf of the graph, by the tensor's id.
std::unordered_map<const void*, int> count_leaf_edges(const PendingMap& pending) {
  std::unordered_map<const void*, int> edges;
  for (const auto& [node, ignored] : pending) {
    for (const Edge& edge : node->edges()) {
      if (edge.leaf.defined()) ++edges[edge.leaf.id()];
    }
  }
  return edges;
}

// Whether this handle is the only user of its memory, so that it may be written in place.
bool exclusive(const Tensor& tensor) { return tensor.is_unique() && tensor.is_contiguous(); }

// Whether result i of a node may be kept and written as it is: nobody else holds its memory but other results
// that are other parts of it (linear_joined computes the gradients of its weights at once).
bool own_part(const std::vector<Tensor>& results, std::size_t i) {
  const Tensor& mine = results[i];
  if (!mine.is_contiguous()) return false;
  long holders = 0;
  for (const Tensor& other : results) {
    if (!other.defined() || other.storage() != mine.storage()) continue;
    ++holders;
    const bool apart = other.is_contiguous() && (other.offset() >= mine.offset() + mine.numel() ||
                                                 mine.offset() >= other.offset() + other.numel());
    if (&other != &mine && !apart) return false;
  }
  return mine.is_unique(holders);
}

// Whether a gradient of shape `from` can be summed over broadcast axes to `to`.
bool sums_to(const Shape& from, const Shape& to) {
  const int extra = from.dim() - to.dim();
  bool fits = extra >= 0;
  for (int i = 0; fits && i < to.dim(); ++i) fits = to[i] == 1 || to[i] == from[i + extra];
  return fits;
}

void add_to(Tensor& target, Tensor grad) {
  if (!target.defined()) {
    target = std::move(grad);
    return;
  }
  // An op may give one tensor to several inputs (add does): sum into a copy then.
  if (!exclusive(target)) target = target.clone();
  target.add_(grad);
}

// Into the leaf's gradient; `own`: grad may become it as it is.
void accumulate(Tensor leaf, Tensor grad, bool own) {
  SESAME_CHECK(grad.shape() == leaf.shape() && grad.dtype() == leaf.dtype() && grad.device() == leaf.device(),
               "accumulate_grad", "gradient {} {} on {} does not fit leaf {} {} on {}", grad.shape(),
               dtype_name(grad.dtype()), grad.device().name(), leaf.shape(), dtype_name(leaf.dtype()),
               leaf.device().name());
  NoGradGuard no_grad;
  if (!leaf.grad().defined()) {
    leaf.set_grad(own ? grad : grad.clone());
  } else {
    Tensor sum = leaf.grad();
    sum.add_(grad);
  }
}

}  // namespace

void backward(const Tensor& root, const BackwardOptions& options) {
  SESAME_CHECK(root.requires_grad(), "backward",
               "the root has no history: no input required a gradient, or it was computed under NoGradGuard");
  SESAME_CHECK(options.grad.defined() || root.numel() == 1, "backward",
               "the root {} is not a scalar: pass the gradient of the root", root.shape());
  NoGradGuard no_grad;
  const Tensor seed =
      options.grad.defined() ? options.grad.contiguous() : Tensor::ones(root.shape(), root.options());
  SESAME_CHECK(seed.shape() == root.shape() && seed.dtype() == root.dtype() && seed.device() == root.device(),
               "backward", "gradient {} {} on {} does not match root {} {} on {}", seed.shape(),
               dtype_name(seed.dtype()), seed.device().name(), root.shape(), dtype_name(root.dtype()),
               root.device().name());
  if (root.grad_fn() == nullptr) {
    accumulate_grad(root, seed);
    if (options.leaf_done) options.leaf_done(root);
    return;
  }

  PendingMap pending = count_consumers(root.grad_fn().get());
  std::unordered_map<const void*, int> leaf_edges;
  if (options.leaf_done) leaf_edges = count_leaf_edges(pending);
  pending[root.grad_fn().get()].grad = seed;
  std::vector<std::shared_ptr<Node>> ready = {root.grad_fn()};
  std::vector<bool> own;
  while (!ready.empty()) {
    const std::shared_ptr<Node> node = std::move(ready.back());
    ready.pop_back();
    Tensor grad = std::move(pending.at(node.get()).grad);
    pending.erase(node.get());
    std::vector<Tensor> results(node->edges().size());
    if (grad.defined()) results = node->run(grad.contiguous());
    grad = Tensor();  // so that an op which hands it on hands on the only handle
    own.assign(results.size(), false);
    for (std::size_t i = 0; i < results.size(); ++i) {
      own[i] = node->edges()[i].leaf.defined() && results[i].defined() && own_part(results, i);
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      const Edge& edge = node->edges()[i];
      if (edge.wanted() && results[i].defined()) {
        SESAME_CHECK(sums_to(results[i].shape(), edge.shape), node->op(),
                     "backward gave input {} a gradient {} that does not fit its shape {}", i,
                     results[i].shape(), edge.shape);
        Tensor input_grad = sum_to(results[i], edge.shape);
        results[i] = Tensor();
        if (edge.leaf.defined()) {
          accumulate(edge.leaf, std::move(input_grad), own[i]);
        } else {
          add_to(pending.at(edge.node.get()).grad, std::move(input_grad));
        }
      }
      if (options.leaf_done && edge.leaf.defined() && --leaf_edges.at(edge.leaf.id()) == 0) {
        options.leaf_done(edge.leaf);
      }
      if (edge.node != nullptr && --pending.at(edge.node.get()).waiting == 0) ready.push_back(edge.node);
    }
    if (!options.retain_graph) node->release();
  }
}

Tensor sum_to(const Tensor& grad, const Shape& shape) {
  if (grad.shape() == shape) return grad;
  const int extra = grad.dim() - shape.dim();
  SESAME_CHECK(sums_to(grad.shape(), shape), "sum_to", "gradient {} cannot be summed to {}", grad.shape(),
               shape);
  std::vector<int> axes;
  for (int i = 0; i < grad.dim(); ++i) {
    if (i < extra || (shape[i - extra] == 1 && grad.size(i) != 1)) axes.push_back(i);
  }
  return (axes.empty() ? grad : sum(grad, axes, true)).reshape(shape);
}

void accumulate_grad(Tensor leaf, Tensor grad) {
  const bool own = exclusive(grad);
  accumulate(std::move(leaf), std::move(grad), own);
}

}  // namespace sesame
