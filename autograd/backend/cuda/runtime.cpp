// Devices, their streams and memory, and the texts of errors.
#include "autograd/backend/cuda/runtime.h"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <string>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

namespace sesame::cuda {
namespace {

struct DeviceState {
  cudaStream_t stream = nullptr;
  void* scratch = nullptr;
  std::size_t scratch_bytes = 0;
};

std::array<DeviceState, kMaxDevices> states;
std::mutex states_mutex;
thread_local int active_device = -1;

std::string version_name(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

// Why there is no device at all.
std::string missing_device(cudaError_t status) {
  int driver = 0;
  cudaDriverGetVersion(&driver);
  if (driver == 0) return "this machine has no CUDA driver";
  if (status == cudaErrorInsufficientDriver) {
    return fmt::format("the driver of this machine is for CUDA {}, this build needs {}: update the driver",
                       version_name(driver), version_name(CUDART_VERSION));
  }
  if (status == cudaErrorNoDevice || status == cudaSuccess) return "this machine has no CUDA device";
  return cudaGetErrorString(status);
}

std::string device_description(int index) {
  cudaDeviceProp properties{};
  if (cudaGetDeviceProperties(&properties, index) != cudaSuccess) return fmt::format("cuda:{}", index);
  return fmt::format("cuda:{} ({}, compute capability {}.{})", index, properties.name, properties.major,
                     properties.minor);
}

void open_device(int index) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  SESAME_CHECK(status == cudaSuccess && count > 0, "device",
               "cuda:{} was asked for, but {}; or use --device cpu", index, missing_device(status));
  SESAME_CHECK(index >= 0 && index < count && index < kMaxDevices, "device",
               "cuda:{} was asked for, but this machine has {}: cuda:0{}", index,
               count == 1 ? "one CUDA device" : fmt::format("{} CUDA devices", count),
               count == 1 ? "" : fmt::format(" to cuda:{}", count - 1));
  check(cudaSetDevice(index), "device");
  std::lock_guard lock(states_mutex);
  DeviceState& state = states[static_cast<std::size_t>(index)];
  if (state.stream == nullptr) {
    check(cudaStreamCreateWithFlags(&state.stream, cudaStreamNonBlocking), "device");
  }
  active_device = index;
}

void* allocate(std::size_t bytes) {
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // the allocator reports it
    return nullptr;
  }
  check(status, "allocator");
  return data;
}

void release(void* data, std::size_t) {
  // Work that still reads the block must end first. Errors here are those of earlier kernels: the next call
  // reports them.
  cudaStreamSynchronize(stream());
  cudaFree(data);
}

std::size_t free_bytes() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "allocator");
  return free;
}

void copy_to_host(void* host, const void* device, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream()), "copy to host");
  check(cudaStreamSynchronize(stream()), "copy to host");
}

// Pageable memory is staged before the call returns, so the caller may free it.
void copy_from_host(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream()), "copy from host");
}

void synchronize() { check(cudaStreamSynchronize(stream()), "synchronize"); }

KernelTable make_table() {
  KernelTable table;
  table.name = "cuda";
  table.allocate = allocate;
  table.release = release;
  table.free_bytes = free_bytes;
  table.copy_to_host = copy_to_host;
  table.copy_from_host = copy_from_host;
  table.synchronize = synchronize;
  for (auto* fill :
       {fill_memory, fill_pointwise, fill_gemm, fill_linear, fill_reduce, fill_softmax, fill_norm, fill_rows,
        fill_segments, fill_attention, fill_attention_backward, fill_loss, fill_crf, fill_optimizer}) {
    fill(table);
  }
  return table;
}

}  // namespace

int current_device() { return active_device; }

cudaStream_t stream() { return states[static_cast<std::size_t>(active_device)].stream; }

void* scratch(std::size_t bytes) {
  DeviceState& state = states[static_cast<std::size_t>(active_device)];
  if (state.scratch_bytes < bytes) {
    check(cudaStreamSynchronize(state.stream), "scratch");
    cudaFree(state.scratch);
    state = {state.stream, nullptr, 0};
    const std::size_t rounded = (bytes + (1 << 20) - 1) >> 20 << 20;
    check(cudaMalloc(&state.scratch, rounded), "scratch");
    state.scratch_bytes = rounded;
  }
  return state.scratch;
}

void check(cudaError_t status, const char* op) {
  if (status == cudaSuccess) [[likely]]
    return;
  cudaGetLastError();  // leave no error behind for others to find
  switch (status) {
    case cudaErrorMemoryAllocation:
      fail(op, "out of memory on cuda:{}: lower the batch size or the length", active_device);
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      fail(op,
           "this build has no kernels for {}, only for {}: configure with -DSESAME_CUDA_ARCHITECTURES=native",
           device_description(active_device), SESAME_CUDA_ARCHITECTURES);
    case cudaErrorInsufficientDriver:
    case cudaErrorUnsupportedPtxVersion:
      fail(op, "{}", missing_device(cudaErrorInsufficientDriver));
    default:
      fail(op, "CUDA error on cuda:{}: {}", active_device, cudaGetErrorString(status));
  }
}

void unsupported(const char* op, DType dtype) {
  fail(op, "no {} kernel on cuda:{}: use float32 or bfloat16, or --device cpu", dtype_name(dtype),
       active_device);
}

void refuse(const char* op, const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fail(op, "{}", text);
}

const KernelTable& table(int index) {
  // Kernels take no device: whoever looks one up makes it the current one.
  if (active_device != index) open_device(index);
  static const KernelTable kernels = make_table();
  return kernels;
}

int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();
  return 0;
}

}  // namespace sesame::cuda
