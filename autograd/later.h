// Numbers on their way to the host. The copy starts here; only who asks for the values waits for the device,
// so that a training step can be started before those of the last one have arrived.
#pragma once

#include <vector>

#include "autograd/tensor.h"

namespace sesame {

class Later {
 public:
  Later() = default;
  // The elements of x, of any type and shape, in row-major order. On the CPU they are copied at once.
  explicit Later(const Tensor& x);
  ~Later();
  Later(Later&& other) noexcept;
  Later& operator=(Later&& other) noexcept;

  // Nobody has to wait for them any more.
  bool here() const { return copy_ == nullptr; }
  // Waits. Throws what checks on the device have found (ops/index_check.h).
  const std::vector<double>& values();
  // Of a tensor with one element.
  double value();

 private:
  std::vector<double> values_;
  HostCopy* copy_ = nullptr;  // under way
  Device device_;
};

// Overwrites a contiguous float64 tensor on any device, in the order of the device's work and without
// waiting.
void write_values(Tensor& x, const std::vector<double>& values);

// Waits for everything that was started on the device, and throws what checks there have found.
void synchronize(Device device);

}  // namespace sesame
