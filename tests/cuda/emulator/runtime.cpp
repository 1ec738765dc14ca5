// cudart on the host: memory, one queue for all streams, events, graphs.
#include <cuda_runtime.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/cuda/emulator/block.h"
#include "tests/cuda/emulator/stream.h"

namespace emulated {
namespace {

constexpr std::size_t kMemory = std::size_t{12} << 30, kQueueMost = 4096;

std::recursive_mutex mutex;
std::deque<Work> queue;  // of all streams: in the order of the calls
std::map<const void*, std::size_t> device_blocks, pinned_blocks;
std::size_t device_bytes = 0;
std::map<const void*, int> shared_limits;
cudaError_t last_error = cudaSuccess;

cudaError_t report(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

void run_one() {
  const Work work = std::move(queue.front());
  queue.pop_front();
  work();
}
void drain() {
  const std::lock_guard lock(mutex);
  while (!queue.empty()) run_one();
}

struct Graph {
  std::vector<Work> work;
};
Graph* capturing = nullptr;  // what calls become part of
cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
bool capture_spoiled = false;

// A call that a capture does not allow.
bool forbidden() {
  if (capturing == nullptr) return false;
  capture_spoiled = true;
  return true;
}

class Queue : public Stream {
 public:
  cudaError_t enqueue(Work work) override {
    const std::lock_guard lock(mutex);
    if (capturing != nullptr) {
      capturing->work.push_back(std::move(work));
      return cudaSuccess;
    }
    queue.push_back(std::move(work));
    if (queue.size() > kQueueMost) run_one();
    return cudaSuccess;
  }
};
Queue default_queue;

Stream& stream_of(cudaStream_t stream) {
  return stream == nullptr ? default_queue : *reinterpret_cast<Stream*>(stream);
}

struct Event {
  std::uint64_t asked = 0, reached = 0;
  bool done() const { return reached == asked; }
};
Event& event_of(cudaEvent_t event) { return *reinterpret_cast<Event*>(event); }

bool lies_in(const std::map<const void*, std::size_t>& blocks, const void* data) {
  auto it = blocks.upper_bound(data);
  if (it == blocks.begin()) return false;
  --it;
  return static_cast<const char*>(data) < static_cast<const char*>(it->first) + it->second;
}
bool is_pageable(const void* data) { return !lies_in(device_blocks, data) && !lies_in(pinned_blocks, data); }

// Memory whose first use shows in the results: all bits set is a NaN.
void* take(std::map<const void*, std::size_t>& blocks, std::size_t bytes) {
  const std::size_t size = (bytes + 255) / 256 * 256;
  void* data = std::aligned_alloc(256, size == 0 ? 256 : size);
  if (data == nullptr) return nullptr;
  if (size <= std::size_t{1} << 26) std::memset(data, 0xff, size);
  blocks[data] = size == 0 ? 256 : size;
  return data;
}

cudaError_t copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                      std::size_t width, std::size_t rows, cudaStream_t stream) {
  const bool reads_pageable = is_pageable(from), writes_pageable = is_pageable(to);
  const auto copy = [=](const void* source, std::size_t pitch) {
    for (std::size_t i = 0; i < rows; ++i) {
      std::memmove(static_cast<char*>(to) + i * to_pitch, static_cast<const char*>(source) + i * pitch,
                   width);
    }
  };
  if (capturing != nullptr && (reads_pageable || writes_pageable)) {
    capture_spoiled = true;
    return report(cudaErrorStreamCaptureUnsupported);
  }
  if (reads_pageable && !writes_pageable) {  // staged before the call returns
    std::vector<char> staged(width * rows);
    for (std::size_t i = 0; i < rows; ++i) {
      std::memcpy(staged.data() + i * width, static_cast<const char*>(from) + i * from_pitch, width);
    }
    return stream_of(stream).enqueue([=, staged = std::move(staged)] { copy(staged.data(), width); });
  }
  const cudaError_t status = stream_of(stream).enqueue([=] { copy(from, from_pitch); });
  if (writes_pageable) drain();
  return status;
}

std::string kernel_name(const void* kernel) {
  Dl_info info{};
  if (dladdr(kernel, &info) != 0 && info.dli_sname != nullptr) return info.dli_sname;
  char text[32];
  std::snprintf(text, sizeof text, "%p", kernel);
  return text;
}

}  // namespace

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, Work thread) {
  const std::lock_guard lock(mutex);
  const dim3 grid = config.gridDim, block = config.blockDim;
  const std::size_t shared = config.dynamicSmemBytes;
  const std::size_t allowed = shared_limits.contains(kernel) ? static_cast<std::size_t>(shared_limits[kernel])
                                                             : std::size_t{48} << 10;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 || shared > allowed ||
      block.x * block.y * block.z > 1024 || block.x == 0) {
    return report(cudaErrorInvalidConfiguration);
  }
  return stream_of(config.stream).enqueue([=, name = kernel_name(kernel)] {
    run_grid(name.c_str(), grid, block, shared, thread);
  });
}

cudaError_t set_attribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  const std::lock_guard lock(mutex);
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value > 227 << 10) return report(cudaErrorInvalidValue);
  shared_limits[kernel] = value;
  return cudaSuccess;
}

}  // namespace emulated

using namespace emulated;

extern "C" {

cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaSetDevice(int index) { return index == 0 ? cudaSuccess : report(cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* index) { return *index = 0, cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  *properties = {};
  std::snprintf(properties->name, sizeof properties->name, "emulated device");
  properties->major = 9;
  properties->multiProcessorCount = 4;
  properties->totalGlobalMem = kMemory;
  properties->sharedMemPerBlock = 48 << 10;
  properties->sharedMemPerBlockOptin = 227 << 10;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      return *value = 4, cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return *value = 227 << 10, cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      return *value = 9, cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      return *value = 0, cudaSuccess;
    default:
      return report(cudaErrorNotSupported);
  }
}
cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorString(cudaError_t status) {
  return status == cudaSuccess                         ? "no error"
         : status == cudaErrorMemoryAllocation         ? "out of memory"
         : status == cudaErrorInvalidConfiguration     ? "invalid configuration argument"
         : status == cudaErrorStreamCaptureUnsupported ? "operation not permitted when stream is capturing"
         : status == cudaErrorStreamCaptureInvalidated
             ? "operation failed due to a previous error during capture"
         : status == cudaErrorNotReady ? "device not ready"
                                       : "error of the emulated device";
}
const char* cudaGetErrorName(cudaError_t status) { return cudaGetErrorString(status); }

// --- memory --------------------------------------------------------------------------------------

cudaError_t cudaMalloc(void** data, size_t bytes) {
  const std::lock_guard lock(mutex);
  if (capture_mode != cudaStreamCaptureModeRelaxed && forbidden())
    return report(cudaErrorStreamCaptureUnsupported);
  *data = device_bytes + bytes > kMemory || bytes > kMemory ? nullptr : take(device_blocks, bytes);
  if (*data == nullptr) return report(cudaErrorMemoryAllocation);
  device_bytes += device_blocks[*data];
  return cudaSuccess;
}
cudaError_t cudaFree(void* data) {
  const std::lock_guard lock(mutex);
  if (data == nullptr) return cudaSuccess;
  if (forbidden()) return report(cudaErrorStreamCaptureUnsupported);
  drain();
  const auto it = device_blocks.find(data);
  if (it == device_blocks.end()) return report(cudaErrorInvalidValue);
  device_bytes -= it->second;
  device_blocks.erase(it);
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** data, size_t bytes, unsigned) {
  const std::lock_guard lock(mutex);
  if (capture_mode != cudaStreamCaptureModeRelaxed && forbidden())
    return report(cudaErrorStreamCaptureUnsupported);
  *data = take(pinned_blocks, bytes);
  return *data == nullptr ? report(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaMallocHost(void** data, size_t bytes) { return cudaHostAlloc(data, bytes, 0); }
cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned) {
  return *device = host, cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  const std::lock_guard lock(mutex);
  drain();
  pinned_blocks.erase(data);
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *total = kMemory;
  *free = kMemory - device_bytes;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  return copy_rows(to, bytes, from, bytes, bytes, 1, stream);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t rows, cudaMemcpyKind, cudaStream_t stream) {
  const std::lock_guard lock(mutex);
  return copy_rows(to, to_pitch, from, from_pitch, width, rows, stream);
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t status = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  drain();
  return status;
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  return stream_of(stream).enqueue([=] { std::memset(data, value, bytes); });
}
cudaError_t cudaMemset2DAsync(void* data, size_t pitch, int value, size_t width, size_t rows,
                              cudaStream_t stream) {
  return stream_of(stream).enqueue([=] {
    for (size_t i = 0; i < rows; ++i) std::memset(static_cast<char*>(data) + i * pitch, value, width);
  });
}

// --- streams and events --------------------------------------------------------------------------

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(static_cast<Stream*>(new Queue));
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  drain();
  delete reinterpret_cast<Stream*>(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  if (forbidden()) return report(cudaErrorStreamCaptureUnsupported);
  return drain(), cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() { return cudaStreamSynchronize(nullptr); }
cudaError_t cudaStreamQuery(cudaStream_t) { return queue.empty() ? cudaSuccess : cudaErrorNotReady; }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new Event);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  drain();
  delete &event_of(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Event& e = event_of(event);
  const std::uint64_t mark = ++e.asked;
  return stream_of(stream).enqueue([&e, mark] { e.reached = mark; });
}
// Time passes by one piece of work for each question.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  if (!event_of(event).done() && !queue.empty()) run_one();
  return event_of(event).done() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const std::lock_guard lock(mutex);
  if (forbidden()) return report(cudaErrorStreamCaptureUnsupported);
  while (!event_of(event).done() && !queue.empty()) run_one();
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  return *milliseconds = 0, cudaSuccess;
}

// --- graphs --------------------------------------------------------------------------------------

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode mode) {
  const std::lock_guard lock(mutex);
  if (capturing != nullptr) return report(cudaErrorIllegalState);
  capturing = new Graph;
  capture_mode = mode;
  capture_spoiled = false;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t, cudaStreamCaptureStatus* status) {
  *status = capturing != nullptr ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  const std::lock_guard lock(mutex);
  if (capturing == nullptr) return report(cudaErrorIllegalState);
  *graph = reinterpret_cast<cudaGraph_t>(std::exchange(capturing, nullptr));
  if (!capture_spoiled) return cudaSuccess;
  delete reinterpret_cast<Graph*>(std::exchange(*graph, nullptr));
  return report(cudaErrorStreamCaptureInvalidated);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = reinterpret_cast<cudaGraphExec_t>(new Graph(*reinterpret_cast<Graph*>(graph)));
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  for (const Work& work : reinterpret_cast<Graph*>(executable)->work) stream_of(stream).enqueue(work);
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete reinterpret_cast<Graph*>(graph);
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete reinterpret_cast<Graph*>(executable);
  return cudaSuccess;
}

}  // extern "C"
