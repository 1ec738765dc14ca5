// The gradient of an embedding (scatter.cu).
#pragma once

#include "autograd/backend/cuda/kernels/common.cuh"

namespace sesame::cuda {

// As KernelTable::scatter_add_rows; rows whose id is outside of the table are left out.
void scatter_add_rows(const View& table, const View& rows, const View& ids);

}  // namespace sesame::cuda
