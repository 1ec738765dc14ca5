#include "autograd/backend/dispatch.h"

#include "autograd/comm/device_sum.h"

namespace sesame {

const KernelTable& kernels(Device device) {
  return device.type == Device::Type::Cpu ? cpu::table() : cuda::table(device.index);
}

std::string sum_obstacle(Device device) {
  return device.type == Device::Type::Cpu ? "the CPU's memory is the host's" : cuda::sum_obstacle();
}

std::unique_ptr<DeviceSum> make_sum(Comm& comm, Device device) {
  return device.type == Device::Type::Cpu ? make_host_sum(comm) : cuda::make_sum(comm, device.index);
}

}  // namespace sesame
