#include "autograd/comm/mpi/heartbeat.h"

#include <fmt/core.h>

#include <algorithm>

namespace sesame {
namespace {

constexpr int kTag = 7;

}  // namespace

Heartbeat::Heartbeat(MPI_Comm comm, MpiLock& lock, CommLimits limits, Lost lost)
    : lock_(lock), limits_(limits), lost_(std::move(lost)) {
  int rank = 0, size = 1;
  MPI_Comm_dup(comm, &comm_);
  MPI_Comm_rank(comm_, &rank);
  MPI_Comm_size(comm_, &size);
  for (int other = 0; other < size; ++other) {
    if (other != rank && (rank == 0 || other == 0)) peers_.push_back({.rank = other, .seen = Clock::now()});
  }
  for (Peer& peer : peers_) {
    MPI_Irecv(&peer.message, 1, MPI_INT64_T, peer.rank, kTag, comm_, &peer.receive);
  }
  thread_ = std::thread([this] { run(); });
}

Heartbeat::~Heartbeat() {
  {
    const std::lock_guard guard(stopping_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
  for (Peer& peer : peers_) {
    MPI_Cancel(&peer.receive);
    MPI_Request_free(&peer.receive);
    if (peer.send != MPI_REQUEST_NULL) MPI_Request_free(&peer.send);
  }
}

void Heartbeat::run() {
  const std::chrono::duration<double> tick(std::min(1.0, limits_.deadline / 5));
  Clock::time_point last = Clock::now();
  std::unique_lock guard(stopping_);
  while (!wake_.wait_for(guard, tick, [this] { return stop_; })) {
    const Clock::time_point now = Clock::now();
    // This process was stopped itself (a debugger, Ctrl-Z, a machine put to sleep): the others may have been,
    // too.
    if (now - last > 3 * tick) {
      for (Peer& peer : peers_) peer.seen += now - last;
      waited_since_ += now - last;
    }
    last = now;
    exchange(now);
    judge(now);
  }
}

void Heartbeat::exchange(Clock::time_point now) {
  lock_.lock_aside();
  for (Peer& peer : peers_) {
    for (int came = 1; came != 0;) {
      MPI_Test(&peer.receive, &came, MPI_STATUS_IGNORE);
      if (came == 0) break;
      peer.seen = std::max(peer.seen, now);
      peer.heard = peer.message;
      MPI_Irecv(&peer.message, 1, MPI_INT64_T, peer.rank, kTag, comm_, &peer.receive);
    }
    int sent = 1;
    if (peer.send != MPI_REQUEST_NULL) MPI_Test(&peer.send, &sent, MPI_STATUS_IGNORE);
    if (sent == 0) continue;
    peer.told = operation_;
    MPI_Isend(&peer.told, 1, MPI_INT64_T, peer.rank, kTag, comm_, &peer.send);
  }
  lock_.unlock();
}

void Heartbeat::judge(Clock::time_point now) {
  const auto seconds = [&](Clock::time_point since) {
    return std::chrono::duration<double>(now - since).count();
  };
  for (const Peer& peer : peers_) {
    if (seconds(peer.seen) > limits_.deadline) {
      return lost_(peer.rank,
                   fmt::format("has given no sign of life for {:.0f} s (it is stopped, its machine is "
                               "down or the network between is cut)",
                               seconds(peer.seen)));
    }
  }
  const std::int64_t operation = operation_;
  if (!waiting_ || operation != waited_for_) {
    waited_for_ = waiting_ ? operation : -1;
    waited_since_ = now;
    return;
  }
  if (seconds(waited_since_) <= limits_.patience) return;
  for (const Peer& peer : peers_) {
    if (peer.heard < operation) {
      return lost_(peer.rank,
                   fmt::format("lives, but has not come to what the others have waited for since {:.0f} s",
                               seconds(waited_since_)));
    }
  }
}

}  // namespace sesame
