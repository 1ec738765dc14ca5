// Signs of life between ranks. An MPI program whose partner is stopped, or behind a network that was cut,
// waits for ever: no connection breaks. So a thread of each rank sends a small message to rank 0 every
// second, and rank 0 one to each; whoever hears nothing for the deadline names the silent rank and ends the
// job. A rank that computes, or writes a checkpoint for minutes, goes on giving signs.
#pragma once

#include <mpi.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "autograd/comm/comm.h"

namespace sesame {

// MPI is called by one thread at a time (MPI_THREAD_SERIALIZED). The main thread asks over and over while it
// waits, and would win the mutex each time: it steps back when somebody else wants it.
class MpiLock {
 public:
  void lock_main() {
    if (wanted_.load(std::memory_order_relaxed)) std::this_thread::sleep_for(std::chrono::microseconds(100));
    mutex_.lock();
  }
  void lock_aside() {
    wanted_ = true;
    mutex_.lock();
    wanted_ = false;
  }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
  std::atomic<bool> wanted_ = false;
};

class Heartbeat {
 public:
  // `lost` is called, once, with the rank that is silent or does not come, and what is wrong with it.
  using Lost = std::function<void(int rank, const std::string& why)>;
  Heartbeat(MPI_Comm comm, MpiLock& lock, CommLimits limits, Lost lost);
  ~Heartbeat();

  // The main thread begins its next collective operation, or ends the wait for one.
  void begins() { ++operation_; }
  void waits(bool on) { waiting_ = on; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Peer {
    int rank = 0;
    std::int64_t message = 0, heard = 0, told = 0;  // operations begun: received, read, told to it
    MPI_Request receive = MPI_REQUEST_NULL, send = MPI_REQUEST_NULL;
    Clock::time_point seen;
  };

  void run();
  void exchange(Clock::time_point now);
  void judge(Clock::time_point now);

  MPI_Comm comm_;
  MpiLock& lock_;
  CommLimits limits_;
  Lost lost_;
  std::vector<Peer> peers_;
  std::atomic<std::int64_t> operation_ = 0;
  std::atomic<bool> waiting_ = false;
  std::int64_t waited_for_ =
      -1;  // the operation that the main thread was first seen to wait for, and since when
  Clock::time_point waited_since_;
  std::mutex stopping_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace sesame
