#include "autograd/backend/cpu/host.h"

#include <omp.h>
#include <sched.h>
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "autograd/backend/range_error.h"
#include "autograd/check.h"

namespace sesame::cpu {

void set_blas_threads(int count);  // blas.cpp
[[noreturn]] void unsupported(const char* kernel, DType dtype);
void* scratch(int slot, std::size_t bytes);

namespace {

void* system_allocate(std::size_t bytes) {
  constexpr std::size_t huge_page = std::size_t{2} << 20;
  void* data = nullptr;
  if (posix_memalign(&data, bytes >= 2 * huge_page ? huge_page : 64, bytes) != 0) return nullptr;
  return data;
}

void system_release(void* data, std::size_t) { std::free(data); }

void copy_bytes(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

void check_range(const View& ids, const RangeCheck& check) {
  const auto* id = static_cast<const std::int64_t*>(ids.data);
  const auto limit = static_cast<std::uint64_t>(check.limit);  // negative values are beyond it
  for (std::int64_t i = 0; i < ids.numel; ++i) {
    if (static_cast<std::uint64_t>(id[i]) < limit || (check.ignores && id[i] == check.ignored)) continue;
    throw_range_error(check.op, check.text, i, id[i], check.limit);
  }
}

// Whole CPUs that the container may use: affinity, then the cgroup's quota (v2, else v1).
int available_cpus() {
  cpu_set_t set;
  int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
  double quota = -1, period = -1;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2) {
    v2 >> quota >> period;  // "max 100000" leaves quota at 0 and sets failbit
    if (!v2) quota = -1;
  } else {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (quota > 0 && period > 0) cpus = std::min(cpus, static_cast<int>(std::ceil(quota / period)));
  return std::max(cpus, 1);
}

struct Scratch {
  void* data = nullptr;
  std::size_t bytes = 0;
  ~Scratch() { std::free(data); }
};

int thread_count = 0;

}  // namespace

KernelTable host_table() {
  KernelTable table;
  table.allocate = system_allocate;
  table.release = system_release;
  table.copy_to_host = copy_bytes;
  table.copy_from_host = copy_bytes;
  table.check_range = check_range;
  if (thread_count == 0) set_threads(0);
  return table;
}

void set_threads(int count) {
  SESAME_CHECK(count >= 0 && count <= 1024, "threads", "{} threads were asked for: expected 0 to 1024",
               count);
  thread_count = count == 0 ? available_cpus() : count;
  omp_set_num_threads(thread_count);
  set_blas_threads(thread_count);
}

int threads() {
  if (thread_count == 0) set_threads(0);
  return thread_count;
}

void unsupported(const char* kernel, DType dtype) {
  fail(kernel, "no {} kernel on the CPU", dtype_name(dtype));
}

void* scratch(int slot, std::size_t bytes) {
  thread_local Scratch slots[4];
  Scratch& own = slots[slot];
  if (own.bytes < bytes) {
    std::free(own.data);
    own.data = nullptr;
    own.bytes = 0;
    const std::size_t rounded = (bytes + 4095) / 4096 * 4096;
    if (posix_memalign(&own.data, 64, rounded) != 0)
      fail("scratch", "out of memory: {} bytes asked for", rounded);
    own.bytes = rounded;
  }
  return own.data;
}

}  // namespace sesame::cpu
