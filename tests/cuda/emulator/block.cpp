#include "tests/cuda/emulator/block.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

#ifndef __x86_64__
#error "the emulated device needs x86-64: configure with -DSESAME_CUDA=OFF"
#endif

// Stores the callee-saved registers and the stack pointer of the running fiber, and takes those of another.
extern "C" void sesame_switch_fiber(void** from, void* to);
asm(R"(
.text
.globl sesame_switch_fiber
.type sesame_switch_fiber, @function
sesame_switch_fiber:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size sesame_switch_fiber, .-sesame_switch_fiber
)");

namespace emulated {
namespace {

constexpr std::size_t kStack = std::size_t{256} << 10, kSharedMost = std::size_t{227} << 10;
constexpr int kThreadsMost = 1024;

enum class State { Ready, AtBlockBarrier, AtWarpBarrier, Done };

struct Fiber {
  void* stack_pointer = nullptr;
  State state = State::Ready;
  unsigned mask = 0;
  int full_set = 0;
  bool vote = false;
};

struct Warp {
  alignas(16) unsigned char slots[3][32][kWarpSlot];
  unsigned waiting = 0;  // lanes at a barrier of the warp
};

// A block's threads and where they stand. One for the process: blocks run one after the other.
struct Block {
  std::vector<Fiber> fibers = std::vector<Fiber>(kThreadsMost);
  std::vector<Warp> warps = std::vector<Warp>(kThreadsMost / 32);
  std::vector<int> order;
  std::vector<unsigned char> shared;
  unsigned char* stacks = nullptr;
  void* scheduler = nullptr;
  const std::function<void()>* body = nullptr;
  const char* kernel = "";
  int threads = 0, running = 0;
  Votes votes{};
};

Block& block() {
  static Block& only = *new Block;
  return only;
}

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "emulated device: kernel %s, block (%u, %u, %u): %s\n", block().kernel, blockIdx.x,
               blockIdx.y, blockIdx.z, what.c_str());
  std::abort();
}

void place(int thread) {
  const auto t = static_cast<unsigned>(thread);
  threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / (blockDim.x * blockDim.y)};
}

void to_scheduler() {
  Block& b = block();
  sesame_switch_fiber(&b.fibers[static_cast<std::size_t>(b.running)].stack_pointer, b.scheduler);
}

// What every fiber runs, again for each block.
void fiber_main() {
  for (;;) {
    (*block().body)();
    block().fibers[static_cast<std::size_t>(block().running)].state = State::Done;
    to_scheduler();
  }
}

void prepare(int thread) {
  Block& b = block();
  if (b.stacks == nullptr) {
    void* memory = mmap(nullptr, kStack * kThreadsMost, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) give_up("no memory for the stacks of its threads");
    b.stacks = static_cast<unsigned char*>(memory);
  }
  Fiber& fiber = b.fibers[static_cast<std::size_t>(thread)];
  if (fiber.stack_pointer != nullptr) return;
  // Six registers, the address to return to, and the alignment that a called function expects.
  auto** top = reinterpret_cast<void**>(b.stacks + kStack * static_cast<std::size_t>(thread + 1)) - 8;
  std::fill_n(top, 8, nullptr);
  top[6] = reinterpret_cast<void*>(&fiber_main);
  fiber.stack_pointer = top;
}

// Lets everybody at the block's barrier go on once all that still run are there.
bool release_block() {
  Block& b = block();
  int waiting = 0, running = 0, yes = 0;
  for (int t = 0; t < b.threads; ++t) {
    const Fiber& fiber = b.fibers[static_cast<std::size_t>(t)];
    waiting += fiber.state == State::AtBlockBarrier;
    running += fiber.state != State::Done;
    yes += fiber.state == State::AtBlockBarrier && fiber.vote;
  }
  if (waiting == 0 || waiting != running) return false;
  b.votes = {yes, waiting};
  for (int t = 0; t < b.threads; ++t) {
    Fiber& fiber = b.fibers[static_cast<std::size_t>(t)];
    if (fiber.state == State::AtBlockBarrier) fiber.state = State::Ready;
  }
  return true;
}

unsigned existing_lanes(int warp) {
  const int lanes = std::min(32, block().threads - 32 * warp);
  return lanes == 32 ? ~0u : (1u << lanes) - 1;
}

// Lets the lanes of the mask that `lane` waits with go on, if all of them wait for it.
void release_warp(int warp, int lane) {
  Block& b = block();
  Warp& own = b.warps[static_cast<std::size_t>(warp)];
  const auto fiber_of = [&](int lane) -> Fiber& {
    return b.fibers[static_cast<std::size_t>(32 * warp + lane)];
  };
  const unsigned existing = existing_lanes(warp), mask = fiber_of(lane).mask & existing;
  if ((mask >> lane & 1) == 0) give_up("a lane waits with a mask that leaves it out");
  own.waiting |= 1u << lane;
  if ((own.waiting & mask) != mask) return;
  for (int other = 0; other < 32; ++other) {
    if ((mask >> other & 1) == 0) continue;
    if ((fiber_of(other).mask & existing) != mask) give_up("the lanes of a warp wait with different masks");
    fiber_of(other).state = State::Ready;
  }
  own.waiting &= ~mask;
}

std::mt19937& shuffler() {
  static std::mt19937 generator(1);
  return generator;
}

enum class Order { Forward, Backward, Shuffled };
Order order() {
  static const Order chosen = [] {
    const char* name = std::getenv("SESAME_EMULATED_ORDER");
    if (name == nullptr || std::strcmp(name, "forward") == 0) return Order::Forward;
    if (std::strcmp(name, "backward") == 0) return Order::Backward;
    if (std::strcmp(name, "shuffled") == 0) return Order::Shuffled;
    std::fprintf(stderr, "SESAME_EMULATED_ORDER is '%s': expected forward, backward or shuffled\n", name);
    std::abort();
  }();
  return chosen;
}

void arrange(std::vector<int>& list, int count) {
  list.resize(static_cast<std::size_t>(count));
  std::iota(list.begin(), list.end(), 0);
  if (order() == Order::Backward) std::reverse(list.begin(), list.end());
  if (order() == Order::Shuffled) std::shuffle(list.begin(), list.end(), shuffler());
}

void run_block() {
  Block& b = block();
  for (int t = 0; t < b.threads; ++t) {
    b.fibers[static_cast<std::size_t>(t)].state = State::Ready;
    b.fibers[static_cast<std::size_t>(t)].full_set = 0;
  }
  for (Warp& warp : b.warps) warp.waiting = 0;
  std::memset(b.shared.data(), 0xff, b.shared.size());
  arrange(b.order, b.threads);
  for (bool moved = true; moved;) {
    moved = false;
    for (const int t : b.order) {
      Fiber& fiber = b.fibers[static_cast<std::size_t>(t)];
      if (fiber.state != State::Ready) continue;
      moved = true;
      b.running = t;
      place(t);
      sesame_switch_fiber(&b.scheduler, fiber.stack_pointer);
      if (fiber.state == State::AtWarpBarrier) release_warp(t / 32, t % 32);
    }
    if (moved) continue;
    moved = release_block();
  }
  for (int t = 0; t < b.threads; ++t) {
    if (b.fibers[static_cast<std::size_t>(t)].state != State::Done)
      give_up("its threads wait at different barriers");
  }
}

}  // namespace

void run_grid(const char* kernel, dim3 grid, dim3 threads, std::size_t shared_bytes,
              const std::function<void()>& thread) {
  Block& b = block();
  b.kernel = kernel;
  b.body = &thread;
  b.threads = static_cast<int>(threads.x * threads.y * threads.z);
  blockDim = threads;
  gridDim = grid;
  b.shared.resize(shared_bytes + 128);
  if (b.threads < 1 || b.threads > kThreadsMost) give_up("a block of that many threads cannot be");
  if (shared_bytes > kSharedMost) give_up("a block has no such amount of shared memory");
  for (int t = 0; t < b.threads; ++t) prepare(t);
  std::vector<int> blocks;
  arrange(blocks, static_cast<int>(grid.x));
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (const int x : blocks) {
        blockIdx = {static_cast<unsigned>(x), y, z};
        run_block();
      }
    }
  }
}

void block_barrier() { block_votes(false); }

void warp_barrier(unsigned mask) {
  Fiber& fiber = block().fibers[static_cast<std::size_t>(block().running)];
  fiber.mask = mask;
  fiber.state = State::AtWarpBarrier;
  to_scheduler();
}

int lane() { return block().running % 32; }

void* warp_slot(int set, int lane) {
  return block().warps[static_cast<std::size_t>(block().running / 32)].slots[set][lane];
}

int next_full_set() {
  int& set = block().fibers[static_cast<std::size_t>(block().running)].full_set;
  return set = 1 - set;
}

Votes block_votes(bool vote) {
  Fiber& fiber = block().fibers[static_cast<std::size_t>(block().running)];
  fiber.vote = vote;
  fiber.state = State::AtBlockBarrier;
  to_scheduler();
  return block().votes;
}

void* dynamic_shared_memory() {
  const auto address = reinterpret_cast<std::uintptr_t>(block().shared.data());
  return reinterpret_cast<void*>((address + 127) / 128 * 128);
}

}  // namespace emulated
