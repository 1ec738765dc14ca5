// Stands in for backend/cuda/ in a build without the CUDA toolkit.
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/comm/device_sum.h"

namespace sesame::cuda {

const KernelTable& table(int index) {
  fail("device", "cuda:{} was asked for, but this build has no CUDA backend: use --device cpu", index);
}

int device_count() { return 0; }

std::string sum_obstacle() { return "this build has no CUDA backend"; }

std::unique_ptr<DeviceSum> make_sum(Comm&, int) { fail("ranks", "{}", sum_obstacle()); }

}  // namespace sesame::cuda
