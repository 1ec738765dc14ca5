#include "autograd/allocator.h"

#include <algorithm>
#include <bit>
#include <map>
#include <mutex>
#include <new>
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

thread_local const MemoryPool* pool_in_use = nullptr;

using FreeBlocks = std::map<std::size_t, std::vector<void*>>;  // by size

class CachingAllocator {
 public:
  explicit CachingAllocator(Device device) : device_(device) {}

  void* allocate(std::size_t bytes) {
    const std::size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    ++stats_.requests;
    std::size_t given = size;
    const MemoryPool* pool =
        pool_in_use != nullptr && pool_in_use->device() == device_ ? pool_in_use : nullptr;
    void* data = pool == nullptr ? nullptr : take_cached(pools_[pool], size, given);
    if (data == nullptr) data = take_cached(free_, size, given);
    if (data == nullptr) {
      data = kernels(device_).allocate(size);
      if (data == nullptr) {
        release_cached_locked();
        data = kernels(device_).allocate(size);
      }
      if (data == nullptr) out_of_memory(size);
      ++stats_.system_allocations;
    }
    if (given != size) remember_larger(data, given);
    if (pool != nullptr) owners_[data] = pool;
    stats_.bytes_in_use += given;
    stats_.peak_bytes_in_use = std::max(stats_.peak_bytes_in_use, stats_.bytes_in_use);
    return data;
  }

  void deallocate(void* data, std::size_t bytes) noexcept {
    std::size_t size = size_class(bytes);
    std::lock_guard lock(mutex_);
    if (const auto it = larger_.find(data); it != larger_.end()) {
      size = it->second;
      larger_.erase(it);
    }
    stats_.bytes_in_use -= size;
    keep(data, size);
  }

  AllocatorStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void release_cached() {
    std::lock_guard lock(mutex_);
    release_cached_locked();
  }

  void end_pool(const MemoryPool* pool) {
    std::lock_guard lock(mutex_);
    for (auto& [size, blocks] : pools_[pool]) {
      std::vector<void*>& shared = free_[size];
      shared.insert(shared.end(), blocks.begin(), blocks.end());
    }
    pools_.erase(pool);
    std::erase_if(owners_, [pool](const auto& entry) { return entry.second == pool; });
  }

 private:
  // Into the cache; back to the system where there is no memory for the note of it.
  void keep(void* data, std::size_t size) noexcept {
    try {
      free_of(data)[size].push_back(data);
      stats_.bytes_cached += size;
    } catch (const std::bad_alloc&) {
      kernels(device_).release(data, size);
    }
  }

  // Where a block goes when it is freed.
  FreeBlocks& free_of(void* data) {
    if (owners_.empty()) return free_;
    const auto it = owners_.find(data);
    if (it == owners_.end()) return free_;
    FreeBlocks& own = pools_[it->second];
    owners_.erase(it);
    return own;
  }

  void remember_larger(void* data, std::size_t given) {
    try {
      larger_.emplace(data, given);
    } catch (const std::bad_alloc&) {
      keep(data, given);
      throw;
    }
  }

  // A block of that size, else the smallest larger one up to four times the size: batches of different token
  // counts then live on the blocks of the largest, instead of a set for each count. Small requests
  // keep to their own size.
  void* take_cached(FreeBlocks& blocks, std::size_t size, std::size_t& given) {
    constexpr std::size_t small = 1 << 16;
    const std::size_t most = size < small ? size : 4 * size;
    for (auto it = blocks.lower_bound(size); it != blocks.end() && it->first <= most; ++it) {
      if (it->second.empty()) continue;
      given = it->first;
      void* data = it->second.back();
      it->second.pop_back();
      stats_.bytes_cached -= given;
      return data;
    }
    return nullptr;
  }

  [[noreturn]] void out_of_memory(std::size_t size) {
    const auto mb = [](std::size_t bytes) { return static_cast<double>(bytes) / 1e6; };
    auto* free_bytes = kernels(device_).free_bytes;
    fail("allocator",
         "out of memory on {}: {:.1f} MB asked for, {:.1f} MB in use{}; lower the batch size or the length",
         device_.name(), mb(size), mb(stats_.bytes_in_use),
         free_bytes == nullptr ? "" : fmt::format(", {:.1f} MB free", mb(free_bytes())));
  }

  void release_cached_locked() {
    for (auto& [size, blocks] : free_) {
      for (void* block : blocks) kernels(device_).release(block, size);
      stats_.bytes_cached -= size * blocks.size();
    }
    free_.clear();
  }

  Device device_;
  std::mutex mutex_;
  FreeBlocks free_;
  std::unordered_map<const MemoryPool*, FreeBlocks> pools_;
  std::unordered_map<void*, const MemoryPool*> owners_;  // of blocks that are in use
  std::unordered_map<void*, std::size_t> larger_;        // given out for less than their size
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

MemoryPool::MemoryPool(Device device) : device_(device) {}
MemoryPool::~MemoryPool() { allocator_for(device_).end_pool(this); }
MemoryPool::Scope::Scope(const MemoryPool& pool) : outer_(pool_in_use) { pool_in_use = &pool; }
MemoryPool::Scope::~Scope() { pool_in_use = outer_; }

AllocatorStats allocator_stats(Device device) { return allocator_for(device).stats(); }

void release_cached_memory(Device device) { allocator_for(device).release_cached(); }

}  // namespace sesame
