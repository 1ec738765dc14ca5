// Sums over all ranks of numbers that lie on a device: what GradientSum needs for gradients there. Between
// devices by the backend's own library where there is one, else by way of the host's memory and the Comm.
#pragma once

#include <memory>
#include <string>

#include "autograd/comm/comm.h"
#include "autograd/tensor.h"

namespace sesame {

// Every rank starts the same sums in the same order.
class DeviceSum {
 public:
  virtual ~DeviceSum() = default;

  // Begins to sum `values` in place (contiguous; float32 or float64, equal shapes on all ranks), behind all
  // work that the device has been given so far. They must stay alive and be left alone until wait().
  virtual void start(const Tensor& values) = 0;
  // All work that the device is given from here on sees the sums of everything started.
  virtual void wait() = 0;
  // "NCCL 2.28", for people.
  virtual std::string description() const = 0;
};

// By way of the host's memory: correct on any device, and what tests compare others with. `why` stands in the
// description.
std::unique_ptr<DeviceSum> make_host_sum(Comm& comm, const std::string& why = "");
// The fastest way that all ranks have. Every rank calls it, with its own device.
std::unique_ptr<DeviceSum> make_device_sum(Comm& comm, Device device);

}  // namespace sesame
