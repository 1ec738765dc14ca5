#include "models/tokenizer/byte_trie.h"

#include <algorithm>
#include <deque>

namespace sesame {
namespace {

// Finds room for the children of one node at a time.
class Slots {
 public:
  // The smallest base found (a bounded search) such that base + b is free for all of `bytes` (ascending).
  int32_t place(const std::vector<uint8_t>& bytes) {
    constexpr int kTries = 64;
    for (size_t i = 0; i < holes_.size() && i < kTries; ++i) {
      const int32_t base = holes_[i] - bytes.front();
      if (base < 1 || !fits(base, bytes)) continue;
      take(base, bytes);
      return base;
    }
    const int32_t base = std::max<int32_t>(1, size() - bytes.front());
    grow(base + 256);
    take(base, bytes);
    return base;
  }
  int32_t size() const { return static_cast<int32_t>(used_.size()); }

 private:
  bool fits(int32_t base, const std::vector<uint8_t>& bytes) const {
    return std::none_of(bytes.begin(), bytes.end(), [&](uint8_t b) {
      const size_t slot = static_cast<size_t>(base) + b;
      return slot >= used_.size() || used_[slot];
    });
  }
  void take(int32_t base, const std::vector<uint8_t>& bytes) {
    for (const uint8_t b : bytes) {
      used_[static_cast<size_t>(base) + b] = true;
    }
    std::erase_if(holes_, [&](int32_t slot) { return used_[static_cast<size_t>(slot)]; });
  }
  void grow(int32_t size) {
    // Holes that were tried in vain for long are given up: the list stays short, and building linear.
    constexpr size_t kHoles = 512;
    for (int32_t slot = this->size(); slot < size; ++slot) holes_.push_back(slot);
    while (holes_.size() > kHoles) holes_.pop_front();
    used_.resize(static_cast<size_t>(size));
  }

  std::vector<char> used_{true};  // slot 0 is the root
  std::deque<int32_t> holes_;
};

struct Range {
  int32_t node;
  size_t begin, end, depth;  // keys [begin, end) share their first `depth` bytes
};

}  // namespace

ByteTrie::ByteTrie(std::vector<std::pair<std::string_view, int32_t>> keys) {
  std::sort(keys.begin(), keys.end());
  Slots slots;
  nodes_.resize(1);
  std::deque<Range> queue{{kRoot, 0, keys.size(), 0}};
  while (!queue.empty()) {
    Range range = queue.front();
    queue.pop_front();
    if (range.begin < range.end && keys[range.begin].first.size() == range.depth) {
      nodes_[range.node].value = keys[range.begin++].second;
    }
    std::vector<uint8_t> bytes;
    std::vector<Range> children;
    for (size_t i = range.begin; i < range.end; ++i) {
      const auto byte = static_cast<uint8_t>(keys[i].first[range.depth]);
      if (bytes.empty() || bytes.back() != byte) {
        bytes.push_back(byte);
        children.push_back({0, i, i, range.depth + 1});
      }
      ++children.back().end;
    }
    if (bytes.empty()) continue;
    const int32_t base = slots.place(bytes);
    nodes_.resize(static_cast<size_t>(slots.size()));
    nodes_[range.node].base = base;
    for (size_t i = 0; i < bytes.size(); ++i) {
      children[i].node = base + bytes[i];
      nodes_[children[i].node].parent = range.node;
      queue.push_back(children[i]);
    }
  }
  nodes_.resize(nodes_.size() + 256);  // so that child() never reads past the end
}

int32_t ByteTrie::find(std::string_view key) const {
  int32_t node = kRoot;
  for (const char b : key) {
    node = child(node, static_cast<uint8_t>(b));
    if (node == kNone) return kNone;
  }
  return node;
}

}  // namespace sesame
