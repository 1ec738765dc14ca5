// Copies between the host and a device through pinned memory, so that neither waits for the other, and what
// kernels report to the host.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "autograd/backend/cuda/runtime.h"
#include "autograd/backend/range_error.h"

namespace sesame {

// A block of pinned memory that a copy to the host ends in.
struct HostCopy {
  void* data = nullptr;
  std::size_t capacity = 0;
  cudaEvent_t arrived = nullptr;
};

namespace cuda {
namespace {

constexpr std::size_t kStageBytes = std::size_t{1} << 20;
constexpr std::size_t kStages = 8;
constexpr std::size_t kAlignment = 256;

// Pinned memory that uploads go through. Small ones share a stage; an event behind the last copy out of a
// stage says when it may be filled again.
struct Stage {
  char* data = nullptr;
  cudaEvent_t copied = nullptr;
};

struct HostSide {
  std::mutex mutex;
  std::array<Stage, kStages> stages;
  std::size_t stage = 0, filled = 0;
  std::vector<HostCopy*> idle;  // copies to the host that have ended
  IndexReport* reports = nullptr;
  std::uint64_t checks = 0;
};

// Never destroyed: tensors with static lifetime may be read after main.
HostSide& host_side() {
  static auto& sides = *new std::array<HostSide, kMaxDevices>;
  return sides[static_cast<std::size_t>(current_device())];
}

void* pinned(std::size_t bytes) {
  void* data = nullptr;
  const cudaError_t status = cudaHostAlloc(&data, bytes, cudaHostAllocMapped);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    refuse("host memory", "the system gives no %zu KB of pinned memory: free some of the host's",
           bytes >> 10);
  }
  check(status, "host memory");
  return data;
}

cudaEvent_t make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "host memory");
  return event;
}

// The stage with room, the next one once it is free where this one is full.
Stage& stage_with_room(HostSide& side) {
  if (side.filled >= kStageBytes) {
    check(cudaEventRecord(side.stages[side.stage].copied, stream()), "copy from host");
    side.stage = (side.stage + 1) % kStages;
    side.filled = 0;
    Stage& next = side.stages[side.stage];
    if (next.data != nullptr) check(cudaEventSynchronize(next.copied), "copy from host");
  }
  Stage& stage = side.stages[side.stage];
  if (stage.data == nullptr) {
    stage.copied = make_event();
    stage.data = static_cast<char*>(pinned(kStageBytes));
  }
  return stage;
}

void copy_from_host(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  // The graph would read the stage again at each replay, whatever is there by then.
  if (recording())
    refuse("copy from host", "%zu bytes for work that is being recorded: copy them before", bytes);
  HostSide& side = host_side();
  std::lock_guard lock(side.mutex);
  for (std::size_t done = 0; done < bytes;) {
    const Stage& stage = stage_with_room(side);
    const std::size_t piece = std::min(bytes - done, kStageBytes - side.filled);
    std::memcpy(stage.data + side.filled, static_cast<const char*>(host) + done, piece);
    check(cudaMemcpyAsync(static_cast<char*>(device) + done, stage.data + side.filled, piece,
                          cudaMemcpyHostToDevice, stream()),
          "copy from host");
    side.filled += (piece + kAlignment - 1) / kAlignment * kAlignment;
    done += piece;
  }
}

// After a wait: throws the first offence that checks have noted, in the order of the checks and of the rows.
void throw_found() {
  HostSide& side = host_side();
  IndexReport first;
  {
    std::lock_guard lock(side.mutex);
    IndexReport* reports = side.reports;
    const auto noted = [](const volatile IndexReport& report) { return report.check != 0; };
    if (reports == nullptr || std::none_of(reports, reports + kIndexReports, noted)) return;
    cudaStreamSynchronize(stream());  // later work may be writing reports still
    for (int i = 0; i < kIndexReports; ++i) {
      IndexReport& report = reports[i];
      const bool earlier = first.check == 0 || report.check < first.check ||
                           (report.check == first.check && report.row < first.row);
      if (report.check != 0 && earlier) first = report;
      report = {};
    }
  }
  throw_range_error(first.op, first.text, first.row, first.value, first.limit);
}

void copy_to_host(void* host, const void* device, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream()), "copy to host");
  check(cudaStreamSynchronize(stream()), "copy to host");
  throw_found();
}

void synchronize() {
  check(cudaStreamSynchronize(stream()), "synchronize");
  throw_found();
}

void end_copy(HostCopy* copy) {
  HostSide& side = host_side();
  std::lock_guard lock(side.mutex);
  side.idle.push_back(copy);
}

// A block used before and still under way is taken too: the stream keeps the order of both copies.
HostCopy* idle_copy(std::size_t bytes) {
  HostSide& side = host_side();
  std::lock_guard lock(side.mutex);
  for (HostCopy*& copy : side.idle) {
    if (copy->capacity < bytes) continue;
    std::swap(copy, side.idle.back());
    HostCopy* found = side.idle.back();
    side.idle.pop_back();
    return found;
  }
  auto copy = std::make_unique<HostCopy>();
  copy->capacity = (bytes + 4095) / 4096 * 4096;
  copy->arrived = make_event();
  copy->data = pinned(copy->capacity);
  return copy.release();
}

HostCopy* start_copy_to_host(const void* device, std::size_t bytes) {
  HostCopy* copy = idle_copy(bytes);
  check(cudaMemcpyAsync(copy->data, device, bytes, cudaMemcpyDeviceToHost, stream()), "copy to host");
  check(cudaEventRecord(copy->arrived, stream()), "copy to host");
  return copy;
}

const void* await_copy(HostCopy* copy) {
  check(cudaEventSynchronize(copy->arrived), "copy to host");
  throw_found();
  return copy->data;
}

}  // namespace

IndexReports index_reports() {
  HostSide& side = host_side();
  std::lock_guard lock(side.mutex);
  if (side.reports == nullptr) {
    constexpr std::size_t bytes = kIndexReports * sizeof(IndexReport);
    side.reports = static_cast<IndexReport*>(pinned(bytes));
    std::uninitialized_fill_n(side.reports, kIndexReports, IndexReport{});
  }
  return {side.reports, ++side.checks};
}

void fill_copies(KernelTable& table) {
  table.copy_to_host = copy_to_host;
  table.copy_from_host = copy_from_host;
  table.start_copy_to_host = start_copy_to_host;
  table.await_copy = await_copy;
  table.end_copy = end_copy;
  table.synchronize = synchronize;
}

}  // namespace cuda
}  // namespace sesame
