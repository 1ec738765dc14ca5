// The caching allocator: one per device. A freed block is kept and given out again for a request of the same
// size class, so that a training loop of repeating shapes asks the system for memory in its first step only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "autograd/device.h"

namespace sesame {

struct AllocatorStats {
  std::size_t bytes_in_use = 0;       // given out now, by size class
  std::size_t peak_bytes_in_use = 0;  // highest so far
  std::size_t bytes_cached = 0;       // free, kept for reuse
  std::uint64_t system_allocations = 0;
  std::uint64_t requests = 0;
};

// Uninitialised memory of at least `bytes` bytes, aligned to 64. Throws Error when the device has no more.
void* allocate(Device device, std::size_t bytes);
// Gives memory from allocate() back to the cache; `bytes` as asked for.
void deallocate(Device device, void* data, std::size_t bytes) noexcept;

// Memory that only those get who ask while it is in use on their thread: what they free comes back to it, and
// nobody else writes there. Recorded work (autograd/recording.h) may so use the same addresses again and
// again. What is left goes to everybody when the pool is destroyed.
class MemoryPool {
 public:
  explicit MemoryPool(Device device);
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;
  Device device() const { return device_; }

  // Makes a pool that of the thread while it lives.
  class Scope {
   public:
    explicit Scope(const MemoryPool& pool);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const MemoryPool* outer_;
  };

 private:
  Device device_;
};

AllocatorStats allocator_stats(Device device = {});
// Returns all cached blocks to the system.
void release_cached_memory(Device device = {});

}  // namespace sesame
