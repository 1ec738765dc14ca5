// A trie over bytes in two arrays ("double array"): the child of node n for byte b is n.base + b, if that
// slot names n as its parent. One step is one memory access. J. Aoe, "An efficient digital search algorithm
// by using a double-array structure", 1989.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace sesame {

class ByteTrie {
 public:
  static constexpr int32_t kRoot = 0;
  static constexpr int32_t kNone = -1;

  ByteTrie() : ByteTrie(std::vector<std::pair<std::string_view, int32_t>>{}) {}
  // Keys in any order, without repetition; values >= 0.
  explicit ByteTrie(std::vector<std::pair<std::string_view, int32_t>> keys);

  int32_t child(int32_t node, uint8_t byte) const {
    const int32_t next = nodes_[node].base + byte;
    return nodes_[next].parent == node ? next : kNone;
  }
  // The value of the key that ends at `node`, or kNone.
  int32_t value(int32_t node) const { return nodes_[node].value; }

  // The node that `key` leads to from the root, or kNone.
  int32_t find(std::string_view key) const;

 private:
  struct Node {
    int32_t base = 0;  // without children: the slots of base 0 never name such a node as their parent
    int32_t parent = kNone;
    int32_t value = kNone;
  };
  std::vector<Node> nodes_;
};

}  // namespace sesame
