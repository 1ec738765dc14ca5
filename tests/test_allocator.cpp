#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "autograd/allocator.h"
#include "autograd/check.h"
#include "autograd/engine.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"

// Under AddressSanitizer a request that is too large returns null as elsewhere, instead of ending the
// program.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }

using namespace sesame;

namespace {

// One training step by hand: forward, backward, update.
void step(Tensor& weight, std::int64_t rows) {
  const Tensor x = Tensor::full({rows, 64}, 0.01);
  const Tensor loss = mean(log_softmax(tanh(x * weight) + x));
  loss.backward();
  NoGradGuard no_grad;
  weight.add_(weight.grad(), -0.1);
  weight.zero_grad();
}

}  // namespace

TEST_CASE("a loop of equal shapes asks the system for memory in its first step only") {
  Tensor weight = Tensor::ones({64});
  weight.set_requires_grad(true);
  step(weight, 100);
  const AllocatorStats first = allocator_stats();
  for (int i = 0; i < 20; ++i) step(weight, 100);
  const AllocatorStats last = allocator_stats();
  CHECK(last.system_allocations == first.system_allocations);
  CHECK(last.requests > first.requests);
  CHECK(last.bytes_in_use == first.bytes_in_use);
  CHECK(last.peak_bytes_in_use == first.peak_bytes_in_use);
  // A batch with a few rows more shares the size classes of most tensors.
  step(weight, 101);
  CHECK(allocator_stats().system_allocations - last.system_allocations <= 12);
}

TEST_CASE("blocks are aligned, reused and released") {
  release_cached_memory();
  const AllocatorStats before = allocator_stats();
  for (std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{5000}, std::size_t{1} << 22}) {
    void* block = allocate({}, bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
    std::memset(block, 1, bytes);
    deallocate({}, block, bytes);
    void* again = allocate({}, bytes);
    CHECK(again == block);
    deallocate({}, again, bytes);
  }
  CHECK(allocator_stats().bytes_in_use == before.bytes_in_use);
  CHECK(allocator_stats().bytes_cached > 0);
  release_cached_memory();
  CHECK(allocator_stats().bytes_cached == 0);
}

TEST_CASE("a size class wastes at most an eighth") {
  for (std::size_t bytes = 513; bytes < 3000000; bytes = bytes * 9 / 8 + 1) {
    const std::size_t before = allocator_stats().bytes_in_use;
    void* block = allocate({}, bytes);
    const std::size_t used = allocator_stats().bytes_in_use - before;
    CHECK(used >= bytes);
    CHECK(static_cast<double>(used) <= 1.126 * static_cast<double>(bytes));
    deallocate({}, block, bytes);
  }
}

TEST_CASE("out of memory is one clear error and leaves the allocator usable") {
  CHECK_THROWS_WITH_AS(allocate({}, std::size_t{1} << 60),
                       doctest::Contains("[allocator] out of memory on cpu"), Error);
  CHECK_THROWS_AS(Tensor::empty({std::int64_t{1} << 50}), Error);
  CHECK(Tensor::ones({3}).to_vector<float>() == std::vector<float>{1, 1, 1});
}

TEST_CASE("several threads") {
  const std::size_t before = allocator_stats().bytes_in_use;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::vector<Tensor> kept;
      for (int i = 0; i < 2000; ++i) {
        kept.push_back(Tensor::full({(i * 37 + t) % 300 + 1}, t));
        if (kept.size() > 8) kept.erase(kept.begin());
      }
      for (const Tensor& x : kept) CHECK(x.to_vector<float>()[0] == static_cast<float>(t));
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(allocator_stats().bytes_in_use == before);
}
