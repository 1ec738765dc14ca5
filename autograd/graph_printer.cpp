#include <unordered_map>

#include "autograd/check.h"
#include "autograd/engine.h"
#include "autograd/node.h"

namespace sesame {
namespace {

struct Listed {
  std::vector<const Node*> nodes;  // root first, every node before its inputs were met
  std::unordered_map<const Node*, std::size_t> number;
};

Listed list_nodes(const Tensor& root) {
  Listed listed;
  if (root.grad_fn() == nullptr) return listed;
  listed.nodes.push_back(root.grad_fn().get());
  listed.number[root.grad_fn().get()] = 0;
  for (std::size_t i = 0; i < listed.nodes.size(); ++i) {
    for (const Edge& edge : listed.nodes[i]->edges()) {
      if (edge.node == nullptr) continue;
      if (listed.number.try_emplace(edge.node.get(), listed.nodes.size()).second) {
        listed.nodes.push_back(edge.node.get());
      }
    }
  }
  return listed;
}

std::string input_text(const Edge& edge, const Listed& listed) {
  if (edge.node != nullptr) return fmt::format("%{} {}", listed.number.at(edge.node.get()), edge.shape);
  if (edge.leaf.defined()) return fmt::format("leaf {}", edge.shape);
  return fmt::format("constant {}", edge.shape);
}

}  // namespace

std::string graph_to_text(const Tensor& root) {
  const Listed listed = list_nodes(root);
  std::string text;
  for (std::size_t i = 0; i < listed.nodes.size(); ++i) {
    const Node& node = *listed.nodes[i];
    text += fmt::format("%{} = {} {} {} <-", i, node.op(), node.shape(), dtype_name(node.dtype()));
    for (const Edge& edge : node.edges()) text += fmt::format(" {},", input_text(edge, listed));
    if (!node.edges().empty()) text.pop_back();
    text += "; saved";
    for (const SavedTensor& saved : node.saved()) {
      text += saved.peek().defined() ? fmt::format(" {}", saved.peek().shape()) : " -";
    }
    text += node.released() ? " (released)\n" : "\n";
  }
  return text;
}

std::string graph_to_dot(const Tensor& root) {
  const Listed listed = list_nodes(root);
  std::string text = "digraph sesame {\n  rankdir=BT;\n  node [shape=box, fontname=\"monospace\"];\n";
  std::unordered_map<const void*, std::size_t> leaves;
  for (std::size_t i = 0; i < listed.nodes.size(); ++i) {
    const Node& node = *listed.nodes[i];
    text += fmt::format("  n{} [label=\"{}\\n{}\"];\n", i, node.op(), node.shape());
    for (const Edge& edge : node.edges()) {
      if (edge.node != nullptr) {
        text += fmt::format("  n{} -> n{};\n", listed.number.at(edge.node.get()), i);
      } else if (edge.leaf.defined()) {
        const auto [leaf, inserted] = leaves.try_emplace(edge.leaf.id(), leaves.size());
        if (inserted) {
          text += fmt::format("  l{} [label=\"leaf\\n{}\", style=filled];\n", leaf->second, edge.shape);
        }
        text += fmt::format("  l{} -> n{};\n", leaf->second, i);
      }
    }
  }
  return text + "}\n";
}

}  // namespace sesame
