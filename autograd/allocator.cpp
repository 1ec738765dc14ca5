#include "autograd/allocator.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

namespace sesame {
namespace {

// Eight classes for each power of two: at most an eighth is wasted, and batches of slightly different token
// counts share blocks. Pages that a request does not reach are never touched.
std::size_t size_class(std::size_t bytes) {
  constexpr std::size_t smallest = 64;
  if (bytes <= 8 * smallest) return std::max(smallest, (bytes + smallest - 1) / smallest * smallest);
  const std::size_t step = std::bit_floor(bytes - 1) / 8;
  return (bytes + step - 1) / step * step;
}

class CachingAllocator {
 public:
  explicit CachingAllocator(Device device) : device_(device) {}

  void* allocate(std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    ++stats_.requests;
    void* data = take_cached(size);
    if (data == nullptr) {
      data = kernels(device_).allocate(size);
      if (data == nullptr) {
        release_cached_locked();
        data = kernels(device_).allocate(size);
      }
      SESAME_CHECK(
          data != nullptr, "allocator",
          "out of memory on {}: {:.1f} MB asked for, {:.1f} MB in use; lower the batch size or the length",
          device_.name(), static_cast<double>(size) / 1e6, static_cast<double>(stats_.bytes_in_use) / 1e6);
      ++stats_.system_allocations;
    }
    stats_.bytes_in_use += size;
    stats_.peak_bytes_in_use = std::max(stats_.peak_bytes_in_use, stats_.bytes_in_use);
    return data;
  }

  void deallocate(void* data, std::size_t bytes) noexcept {
    const std::size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    stats_.bytes_in_use -= size;
    stats_.bytes_cached += size;
    free_[size].push_back(data);
  }

  AllocatorStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void release_cached() {
    std::lock_guard lock(mutex_);
    release_cached_locked();
  }

 private:
  void* take_cached(std::size_t size) {
    auto it = free_.find(size);
    if (it == free_.end() || it->second.empty()) return nullptr;
    void* data = it->second.back();
    it->second.pop_back();
    stats_.bytes_cached -= size;
    return data;
  }

  void release_cached_locked() {
    for (auto& [size, blocks] : free_) {
      for (void* block : blocks) kernels(device_).release(block, size);
    }
    free_.clear();
    stats_.bytes_cached = 0;
  }

  Device device_;
  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<void*>> free_;
  AllocatorStats stats_;
};

// Never destroyed: tensors with static lifetime may be freed after main.
CachingAllocator& allocator_for(Device device) {
  static auto& allocators = *new std::unordered_map<int, CachingAllocator*>;
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  CachingAllocator*& allocator = allocators[static_cast<int>(device.type) * 64 + device.index];
  if (allocator == nullptr) allocator = new CachingAllocator(device);
  return *allocator;
}

}  // namespace

void* allocate(Device device, std::size_t bytes) { return allocator_for(device).allocate(bytes); }

void deallocate(Device device, void* data, std::size_t bytes) noexcept {
  allocator_for(device).deallocate(data, bytes);
}

AllocatorStats allocator_stats(Device device) { return allocator_for(device).stats(); }

void release_cached_memory(Device device) { allocator_for(device).release_cached(); }

}  // namespace sesame
