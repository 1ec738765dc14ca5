#include "autograd/backend/dispatch.h"

namespace sesame {

const KernelTable& kernels(Device device) {
  return device.type == Device::Type::Cpu ? cpu::table() : cuda::table(device.index);
}

}  // namespace sesame
