// The part of the CPU backend that needs no instruction set of its own: memory and OpenBLAS.
#pragma once

#include <string>

#include "autograd/backend/kernel_table.h"

namespace sesame::cpu {

// A table with allocate, release, the host copies and gemm.
KernelTable host_table();

// "baseline", "avx2" or "avx512": the best that this machine has, or the lower one that SESAME_ISA names.
std::string best_isa();

// Number of threads for GEMM and our own loops. 0: the container's limit (cgroup quota and affinity).
void set_threads(int threads);
int threads();

// "OpenBLAS 0.3.21 SkylakeX, OpenMP, 2 threads"; says so when the BLAS was not built for OpenMP.
std::string blas_description();

}  // namespace sesame::cpu
