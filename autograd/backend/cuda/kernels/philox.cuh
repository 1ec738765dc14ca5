// Philox4x32-10 (autograd/random.h) on the device, and dropout drawn from it as DropoutSpec says.
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

struct Words {
  std::uint32_t w[4];
};

__device__ inline Words philox(std::uint32_t c0, std::uint32_t c1, std::uint32_t c2, std::uint32_t c3,
                               std::uint64_t key) {
  auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c0, p1 = std::uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// What a kernel is given of a dropout: every kernel family passes its spec through here before a launch, and
// draws with dropout_key() of it. Recorded kernels get the key without its step.
inline DropoutSpec on_device(DropoutSpec spec) {
  spec.step_at = recorded_step_key();
  if (spec.step_at != nullptr) spec.key ^= spec.step;
  return spec;
}
__device__ inline std::uint64_t dropout_key(const DropoutSpec& spec) {
  return spec.step_at == nullptr ? spec.key : spec.key ^ __ldg(spec.step_at);
}

// Draws of columns 4 group .. 4 group + 3 of a row.
__device__ inline Words row_words(const DropoutSpec& spec, std::int64_t row_key, std::int64_t group) {
  const auto key = static_cast<std::uint64_t>(row_key);
  return philox(static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key),
                static_cast<std::uint32_t>(group), 0, dropout_key(spec));
}

// 0 or the scale.
__device__ inline float dropout_factor(const DropoutSpec& spec, std::uint32_t word) {
  return word >= spec.threshold ? spec.scale : 0.0f;
}

__device__ inline std::int64_t row_key_of(const std::int64_t* keys, std::int64_t row) {
  return keys == nullptr ? row : keys[row];
}

}  // namespace sesame::cuda
