#pragma once

#include <chrono>

namespace sesame {

// Milliseconds of one call.
template <class Body>
double milliseconds(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace sesame
