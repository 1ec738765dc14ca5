// Products by cuBLASLt with what it can do to a result before storing it.
#pragma once

#include <cublasLt.h>

#include <cstdint>

#include "autograd/backend/kernel_table.h"

namespace sesame::cuda {

struct Epilogue {
  cublasLtEpilogue_t kind = CUBLASLT_EPILOGUE_DEFAULT;
  void* bias = nullptr;     // of the type of C: read, or written by bias gradients
  void* aux = nullptr;      // what the activation is taken of, of the type of C
  std::int64_t aux_ld = 0;  // its row stride, in elements
};

// The product as KernelTable::gemm has it. False, with nothing written, where cuBLASLt has no algorithm with
// that epilogue; the default one always ends in a product or an Error.
bool multiply(const GemmArgs& args, const Epilogue& epilogue);

}  // namespace sesame::cuda
