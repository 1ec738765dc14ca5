#include "autograd/random.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numbers>

#include "autograd/check.h"

namespace sesame {
namespace {

thread_local const RandomScope* current_scope = nullptr;
std::atomic<std::uint64_t> scope_serial = 0;

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::uint64_t key) {
  constexpr std::uint64_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
  auto key0 = static_cast<std::uint32_t>(key), key1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = multiplier0 * counter[0], product1 = multiplier1 * counter[2];
    counter = {
        static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0, static_cast<std::uint32_t>(product1),
        static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1, static_cast<std::uint32_t>(product0)};
    key0 += weyl0;
    key1 += weyl1;
  }
  return counter;
}

std::uint64_t mix_key(std::uint64_t key, std::uint64_t value) {
  std::uint64_t z = key ^ (value + 0x9E3779B97F4A7C15u + (key << 6) + (key >> 2));
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001B3u;
  return hash;
}

DropoutSpec make_dropout(double p, std::uint64_t key) {
  SESAME_CHECK(p >= 0 && p < 1, "dropout", "probability must be in [0, 1), got {}", p);
  DropoutSpec spec;
  spec.key = key;
  spec.threshold = static_cast<std::uint32_t>(std::min(std::llround(p * 4294967296.0), 4294967295LL));
  // The scales undo the probabilities that the thresholds really stand for.
  spec.scale = static_cast<float>(1.0 / (1.0 - spec.threshold / 4294967296.0));
  spec.threshold16 = std::min((spec.threshold >> 16) + (spec.threshold >> 15 & 1), 65535u);
  spec.scale16 = static_cast<float>(1.0 / (1.0 - spec.threshold16 / 65536.0));
  return spec;
}

std::uint32_t RandomStream::next_word() {
  if (used_ == 4) {
    words_ =
        philox({static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32), 0, 0}, key_);
    ++block_;
    used_ = 0;
  }
  return words_[static_cast<std::size_t>(used_++)];
}

double RandomStream::uniform() {
  const std::uint64_t high = next_word() >> 5, low = next_word() >> 6;
  return static_cast<double>((high << 26) | low) * 0x1.0p-53;
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  SESAME_CHECK(bound > 0, "random", "below(0) has no answer");
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  std::uint64_t value;
  do {
    value = (static_cast<std::uint64_t>(next_word()) << 32) | next_word();
  } while (value >= limit);
  return value % bound;
}

RandomScope::RandomScope(std::uint64_t seed, std::uint64_t step)
    : key_(mix_key(mix_key(0, seed), step)), serial_(++scope_serial), outer_(current_scope) {
  current_scope = this;
}

RandomScope::~RandomScope() { current_scope = outer_; }

const RandomScope* RandomScope::current() { return current_scope; }

}  // namespace sesame
