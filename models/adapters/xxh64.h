// XXH64, a fast hash that is not cryptographic (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md):
// tells whether two files of weights are the same by accident, not by intent. About memory speed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sesame {

class Xxh64 {
 public:
  explicit Xxh64(std::uint64_t seed = 0);
  // Any number of pieces; their borders do not matter.
  void add(const void* data, std::size_t bytes);
  void add(std::string_view text) { add(text.data(), text.size()); }
  std::uint64_t digest() const;

 private:
  void take_stripe(const unsigned char* stripe);  // 32 bytes

  std::uint64_t lanes_[4];
  std::uint64_t seed_;
  std::uint64_t total_ = 0;
  unsigned char rest_[32] = {};  // the last total_ % 32 bytes
};

}  // namespace sesame
