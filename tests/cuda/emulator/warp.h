// What joins the lanes of a warp.
#pragma once

#include <array>
#include <cstring>
#include <type_traits>

#include "tests/cuda/emulator/block.h"

namespace emulated {

// Every lane of `mask` gives a value and gets those of all lanes of it; the others' are left as they are
// made.
template <class V>
std::array<V, 32> warp_gather(V mine, unsigned mask = ~0u) {
  static_assert(sizeof(V) <= kWarpSlot && std::is_trivially_copyable_v<V>);
  const bool full = mask == ~0u;
  const int set = full ? next_full_set() : kPartialSet;
  std::memcpy(warp_slot(set, lane()), &mine, sizeof(V));
  warp_barrier(mask);
  std::array<V, 32> all{};
  for (int i = 0; i < 32; ++i) {
    if ((mask >> i & 1) != 0)
      std::memcpy(static_cast<void*>(&all[static_cast<std::size_t>(i)]), warp_slot(set, i), sizeof(V));
  }
  if (!full) warp_barrier(mask);
  return all;
}

// What lane `source` gives; `mine` where there is no such lane in the caller's group.
template <class V>
V shuffle(unsigned mask, V mine, int source, bool inside) {
  static_assert(sizeof(V) <= kWarpSlot && std::is_trivially_copyable_v<V>);
  const bool full = mask == ~0u;
  const int set = full ? next_full_set() : kPartialSet;
  std::memcpy(warp_slot(set, lane()), &mine, sizeof(V));
  warp_barrier(mask);
  V value = mine;
  if (inside) std::memcpy(static_cast<void*>(&value), warp_slot(set, source), sizeof(V));
  if (!full) warp_barrier(mask);
  return value;
}

}  // namespace emulated

template <class V>
V __shfl_sync(unsigned mask, V value, int source, int width = 32) {
  const int base = emulated::lane() / width * width;
  return emulated::shuffle(mask, value, base + (source & (width - 1)), true);
}
template <class V>
V __shfl_xor_sync(unsigned mask, V value, int bits, int width = 32) {
  const int source = emulated::lane() ^ bits;
  return emulated::shuffle(mask, value, source & 31, source / width <= emulated::lane() / width);
}
template <class V>
V __shfl_up_sync(unsigned mask, V value, unsigned by, int width = 32) {
  const int source = emulated::lane() - static_cast<int>(by), base = emulated::lane() / width * width;
  return emulated::shuffle(mask, value, source & 31, source >= base);
}
template <class V>
V __shfl_down_sync(unsigned mask, V value, unsigned by, int width = 32) {
  const int source = emulated::lane() + static_cast<int>(by), base = emulated::lane() / width * width;
  return emulated::shuffle(mask, value, source & 31, source < base + width);
}

inline unsigned __ballot_sync(unsigned mask, int vote) {
  const std::array<int, 32> all = emulated::warp_gather(vote, mask);
  unsigned ballot = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if ((mask >> i & 1) != 0 && all[i] != 0) ballot |= 1u << i;
  }
  return ballot;
}
inline int __any_sync(unsigned mask, int vote) { return __ballot_sync(mask, vote) != 0; }
inline int __all_sync(unsigned mask, int vote) { return __ballot_sync(mask, vote != 0 ? 0 : 1) == 0; }
template <class V>
unsigned __match_any_sync(unsigned mask, V value) {
  const std::array<V, 32> all = emulated::warp_gather(value, mask);
  unsigned equal = 0;
  for (unsigned i = 0; i < 32; ++i) {
    if ((mask >> i & 1) != 0 && all[i] == value) equal |= 1u << i;
  }
  return equal;
}
inline void __syncwarp(unsigned mask = ~0u) { emulated::warp_barrier(mask); }
