// Runs the blocks of a grid one after the other on the calling thread. The threads of a block are fibers: one
// runs until it waits at a barrier or ends.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <functional>

namespace emulated {

// Runs `thread` once for each thread of the grid. Ends the program with a line for a block whose threads can
// never go on.
void run_grid(const char* kernel, dim3 grid, dim3 block, std::size_t shared_bytes,
              const std::function<void()>& thread);

// For device code, on a thread of a block.
void block_barrier();
// Waits for the lanes of `mask` in the thread's warp, each of which must call it with the same mask.
void warp_barrier(unsigned mask);
int lane();
// Room of the thread's warp for a value of `lane`, 64 bytes. Sets 0 and 1 take turns from one exchange of the
// whole warp to the next, so that one barrier is enough; set 2 is for exchanges of a part of it.
constexpr int kWarpSlot = 64, kPartialSet = 2;
void* warp_slot(int set, int lane);
int next_full_set();
// Like __syncthreads_or, _and and _count: what all threads said.
struct Votes {
  int yes, all;
};
Votes block_votes(bool vote);
// The dynamic shared memory of the block: full of NaN when a block begins.
void* dynamic_shared_memory();

}  // namespace emulated
