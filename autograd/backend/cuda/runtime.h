// What the host side of every CUDA kernel needs: the stream, scratch memory, and errors as one line of text.
// No templates of libraries here: nvcc reads this too.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "autograd/backend/kernel_table.h"

namespace sesame::cuda {

// One stream for each device carries all its work, so that blocks which the caching allocator gives out again
// are reused in stream order without any events.
cudaStream_t stream();

// Memory on the current device for one call of a kernel; the next call may get the same bytes. Once given,
// they stay valid: where more is asked for, the larger block is a new one.
void* scratch(std::size_t bytes);

// Whether what this thread starts is recorded instead of run, and where recorded kernels then find the step
// of their random draws; null while nothing is recorded (graphs.cpp).
bool recording();
const std::uint64_t* recorded_step_key();

// Where checks of indices note what they find: pinned host memory that kernels write to, and the number of
// this check. Whoever waits for the device next throws the first of them (copies.cpp).
struct IndexReport {
  std::uint64_t check = 0;  // 0: nothing found
  const char* op = nullptr;
  const char* text = nullptr;
  std::int64_t row = 0, value = 0, limit = 0;
};
constexpr int kIndexReports = 32;  // blocks of a check, each with its own
struct IndexReports {
  IndexReport* reports;
  std::uint64_t check;
};
IndexReports index_reports();

// Throws Error("[op] ...") for anything but cudaSuccess, with the remedy where there is one.
void check(cudaError_t status, const char* op);

// Throws Error("[op] no <dtype> kernel on cuda:0 ...").
[[noreturn]] void unsupported(const char* op, DType dtype);

// Throws Error("[op] <message>"), the message formatted as printf does.
[[noreturn]] void refuse(const char* op, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Each kernel family puts its functions into the table.
void fill_copies(KernelTable&);
void fill_graphs(KernelTable&);
void fill_checks(KernelTable&);
void fill_memory(KernelTable&);
void fill_pointwise(KernelTable&);
void fill_gemm(KernelTable&);
void fill_linear(KernelTable&);
void fill_reduce(KernelTable&);
void fill_softmax(KernelTable&);
void fill_norm(KernelTable&);
void fill_rows(KernelTable&);
void fill_segments(KernelTable&);
void fill_attention(KernelTable&);
void fill_attention_backward(KernelTable&);
void fill_loss(KernelTable&);
void fill_crf(KernelTable&);
void fill_optimizer(KernelTable&);

// cuBLASLt keeps a handle for each device; opened at its first product.
constexpr int kMaxDevices = 16;
int current_device();

}  // namespace sesame::cuda
