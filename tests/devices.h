// The CPU and the devices of this machine, for tests of what ops do not cover.
#pragma once

#include <vector>

#include "autograd/backend/dispatch.h"
#include "autograd/tensor.h"

namespace sesame::testing {

inline std::vector<Device> devices() {
  std::vector<Device> all = {Device{}};
  for (int i = 0; i < cuda::device_count(); ++i) all.push_back({Device::Type::Cuda, i});
  return all;
}

}  // namespace sesame::testing
