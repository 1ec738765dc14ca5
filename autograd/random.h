// Random numbers from counters (Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
// 3"). A draw is a function of a 64-bit key and a counter, so nothing has to be stored to repeat it: the same
// on every device, for any batch split and after a resume.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "autograd/backend/kernel_table.h"

namespace sesame {

// One block: four 32-bit words for (counter, key).
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t key);

// Mixes values into one key (SplitMix64 finaliser over each).
std::uint64_t mix_key(std::uint64_t key, std::uint64_t value);
std::uint64_t hash_text(std::string_view text);  // FNV-1a

// Dropout with probability p of zeroing, p in [0, 1). Throws Error otherwise.
DropoutSpec make_dropout(double p, std::uint64_t key);

// A sequential source of doubles in [0, 1) and normals for initialisers and shuffles, on the host.
class RandomStream {
 public:
  explicit RandomStream(std::uint64_t key) : key_(key) {}
  std::uint32_t next_word();
  double uniform();                          // [0, 1), 53 bits
  double normal();                           // Box-Muller
  std::uint64_t below(std::uint64_t bound);  // unbiased, bound > 0

 private:
  std::uint64_t key_;
  std::uint64_t block_ = 0;
  std::array<std::uint32_t, 4> words_{};
  int used_ = 4;
};

// Names the draws of one forward pass: seed of the run and step. While one lives on the thread, modules in
// training mode derive their keys from it (nn/layers/dropout.h). Each new scope restarts the modules' call
// counters, so the parts of an accumulated batch draw exactly as the whole batch would.
class RandomScope {
 public:
  RandomScope(std::uint64_t seed, std::uint64_t step);
  ~RandomScope();
  RandomScope(const RandomScope&) = delete;
  RandomScope& operator=(const RandomScope&) = delete;

  std::uint64_t key() const { return key_; }        // of seed and step
  std::uint64_t serial() const { return serial_; }  // different for every scope of the process
  static const RandomScope* current();

 private:
  std::uint64_t key_, serial_;
  const RandomScope* outer_;
};

}  // namespace sesame
