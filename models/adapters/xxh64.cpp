#include "models/adapters/xxh64.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sesame {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87u, kPrime2 = 0xC2B2AE3D27D4EB4Fu,
                        kPrime3 = 0x165667B19E3779F9u, kPrime4 = 0x85EBCA77C2B2AE63u,
                        kPrime5 = 0x27D4EB2F165667C5u;

template <class T>
T load(const unsigned char* bytes) {  // little-endian, as all machines this runs on
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::uint64_t mix(std::uint64_t lane, std::uint64_t word) {
  return std::rotl(lane + word * kPrime2, 31) * kPrime1;
}

}  // namespace

Xxh64::Xxh64(std::uint64_t seed)
    : lanes_{seed + kPrime1 + kPrime2, seed + kPrime2, seed, seed - kPrime1}, seed_(seed) {}

void Xxh64::take_stripe(const unsigned char* stripe) {
  for (int i = 0; i < 4; ++i) lanes_[i] = mix(lanes_[i], load<std::uint64_t>(stripe + 8 * i));
}

void Xxh64::add(const void* data, std::size_t bytes) {
  const auto* next = static_cast<const unsigned char*>(data);
  if (const std::size_t kept = total_ % 32; kept > 0 && bytes > 0) {
    const std::size_t taken = std::min(bytes, 32 - kept);
    std::memcpy(rest_ + kept, next, taken);
    next += taken, bytes -= taken, total_ += taken;
    if (kept + taken == 32) take_stripe(rest_);
  }
  total_ += bytes;
  for (; bytes >= 32; next += 32, bytes -= 32) take_stripe(next);
  if (bytes > 0) std::memcpy(rest_, next, bytes);
}

std::uint64_t Xxh64::digest() const {
  std::uint64_t hash = seed_ + kPrime5;
  if (total_ >= 32) {
    hash = std::rotl(lanes_[0], 1) + std::rotl(lanes_[1], 7) + std::rotl(lanes_[2], 12) +
           std::rotl(lanes_[3], 18);
    for (const std::uint64_t lane : lanes_) hash = (hash ^ mix(0, lane)) * kPrime1 + kPrime4;
  }
  hash += total_;
  const unsigned char* next = rest_;
  const unsigned char* const end = rest_ + total_ % 32;
  for (; end - next >= 8; next += 8) {
    hash = std::rotl(hash ^ mix(0, load<std::uint64_t>(next)), 27) * kPrime1 + kPrime4;
  }
  if (end - next >= 4) {
    hash = std::rotl(hash ^ load<std::uint32_t>(next) * kPrime1, 23) * kPrime2 + kPrime3;
    next += 4;
  }
  for (; next < end; ++next) hash = std::rotl(hash ^ *next * kPrime5, 11) * kPrime1;
  hash = (hash ^ hash >> 33) * kPrime2;
  hash = (hash ^ hash >> 29) * kPrime3;
  return hash ^ hash >> 32;
}

}  // namespace sesame
