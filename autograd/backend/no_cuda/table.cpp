// Stands in for backend/cuda/ in a build without the CUDA toolkit.
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

namespace sesame::cuda {

const KernelTable& table(int index) {
  fail("device", "cuda:{} was asked for, but this build has no CUDA backend: use --device cpu", index);
}

int device_count() { return 0; }

}  // namespace sesame::cuda
