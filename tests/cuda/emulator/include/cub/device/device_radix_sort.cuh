// Stands for CUB's radix sort: stable, by the bits [begin, end) of the keys.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <vector>

#include "tests/cuda/emulator/stream.h"

namespace cub {

struct DeviceRadixSort {
  template <class Key, class Value, class Count>
  static cudaError_t SortPairs(void* temporary, std::size_t& bytes, const Key* keys_in, Key* keys_out,
                               const Value* values_in, Value* values_out, Count count, int begin_bit = 0,
                               int end_bit = sizeof(Key) * 8, cudaStream_t stream = nullptr) {
    if (temporary == nullptr) {
      bytes = 256 + static_cast<std::size_t>(count);
      return cudaSuccess;
    }
    return reinterpret_cast<emulated::Stream*>(stream)->enqueue([=] {
      using Bits = std::make_unsigned_t<Key>;
      const auto digits = [=](std::size_t i) {
        const auto shifted = static_cast<Bits>(static_cast<Bits>(keys_in[i]) >> begin_bit);
        const int width = end_bit - begin_bit;
        return width >= static_cast<int>(sizeof(Key) * 8)
                   ? shifted
                   : static_cast<Bits>(shifted & ((Bits{1} << width) - 1));
      };
      std::vector<std::size_t> order(static_cast<std::size_t>(count));
      std::iota(order.begin(), order.end(), std::size_t{0});
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return digits(a) < digits(b); });
      for (std::size_t i = 0; i < order.size(); ++i) {
        keys_out[i] = keys_in[order[i]];
        values_out[i] = values_in[order[i]];
      }
    });
  }
};

}  // namespace cub
