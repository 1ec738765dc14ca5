// Times of calls, on the CPU and on devices, where work goes on after a call has returned.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "autograd/backend/dispatch.h"

namespace sesame {

// Returns when the device has done all that it was asked for.
inline void wait_for(Device device) {
  if (const auto synchronize = kernels(device).synchronize) synchronize();
}

// So many calls share one wait where a single call may be shorter than the wait itself.
inline int calls_per_wait(Device device) { return kernels(device).synchronize == nullptr ? 1 : 10; }

// Milliseconds of one call, out of `calls` that end with one wait for the device.
template <class Body>
double milliseconds(const Body& body, Device device = {}, int calls = 1) {
  wait_for(device);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) body();
  wait_for(device);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count() / calls;
}

// Repeated measurements of one thing.
class Timings {
 public:
  void add(double ms) { ms_.insert(std::upper_bound(ms_.begin(), ms_.end(), ms), ms); }
  double least() const { return ms_.front(); }
  double median() const { return ms_[ms_.size() / 2]; }

 private:
  std::vector<double> ms_;  // ascending
};

}  // namespace sesame
