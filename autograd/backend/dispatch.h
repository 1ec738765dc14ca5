// The one place where a device is looked up.
#pragma once

#include <memory>
#include <string>

#include "autograd/backend/kernel_table.h"
#include "autograd/device.h"

namespace sesame {

class Comm;
class DeviceSum;

// The kernels of a device. Throws Error for CUDA where this build or machine has none.
const KernelTable& kernels(Device device);

// What sums over ranks between devices (autograd/comm/device_sum.h), and why this process has none ("": it
// has one). Every rank calls make_sum.
std::string sum_obstacle(Device device);
std::unique_ptr<DeviceSum> make_sum(Comm& comm, Device device);

namespace cpu {
// The table for the best instruction set of this machine, chosen once; SESAME_ISA=baseline|avx2|avx512 in the
// environment chooses a lower one (tests and comparisons).
const KernelTable& table();
}  // namespace cpu

namespace cuda {
// Supplied by backend/cuda/ or by the stub in backend/no_cuda/.
const KernelTable& table(int index);
int device_count();
// What sum_obstacle() and make_sum() below give for these devices.
std::string sum_obstacle();
std::unique_ptr<DeviceSum> make_sum(Comm& comm, int index);
}  // namespace cuda

}  // namespace sesame
