// The ranks of mpirun. Every wait asks again and again instead of blocking inside MPI, so that the thread
// that gives signs of life (heartbeat.h) can run beside it.
#include <errno.h>
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "autograd/check.h"
#include "autograd/comm/comm.h"
#include "autograd/comm/mpi/heartbeat.h"

namespace sesame {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 30;  // MPI counts in int
constexpr int kDirectRanks = 16;                      // beyond, N - 1 messages to each are too many
constexpr std::size_t kDirectNumbers = 4096;          // below, one message's latency counts and not its size
constexpr int kFirstTag = 16, kTags = 16384;          // of the sums under way
constexpr int kSpins = 20000;                         // tries before a wait begins to sleep between them
constexpr unsigned kSecondsToSay = 2;  // that an error of all is given to rank 0 to say it alone

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  fail("mpi", "{} failed: {}", call, std::string(text, static_cast<std::size_t>(length)));
}

using Requests = std::vector<MPI_Request>;

// A sum under way.
struct Sum {
  Requests requests;
  std::vector<std::byte> received;  // slices of the other ranks
  std::function<void(Sum&)> then;   // adds them up and sends the result; nothing once that is done
};

class MpiComm : public Comm {
 public:
  MpiComm();
  ~MpiComm() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Started start_sum(std::span<float> values) override { return start(values, MPI_FLOAT); }
  Started start_sum(std::span<double> values) override { return start(values, MPI_DOUBLE); }
  void wait(Started& sum) override;
  void progress() override;
  using Comm::broadcast;
  void broadcast(std::span<std::byte> bytes, int root) override;
  std::vector<std::string> gather(std::string_view own) override;
  void barrier() override;
  [[noreturn]] void abort(const std::string& line, int code) override;
  std::string description() const override { return fmt::format("MPI, {} ranks", size_); }

 private:
  template <class Number>
  Started start(std::span<Number> values, MPI_Datatype type);
  // Calls `begin` with a request to fill, under the lock, and adds it to `requests`.
  template <class Begin>
  void begin(Requests& requests, const char* call, const Begin& begin);
  template <class Number>
  void start_direct(Sum& sum, std::span<Number> values, MPI_Datatype type);
  bool moved_on(Sum& sum);
  template <class Begin>
  void run(const char* call, const Begin& begin);
  bool done(Requests& requests);
  template <class Done>
  void wait_until(const Done& done);
  [[noreturn]] void end_all(const std::string& line, int code);
  void lost(int rank, const std::string& why);

  MpiLock lock_;
  int rank_ = 0, size_ = 1;
  std::vector<std::string> places_;  // "process 17 on host", of each rank
  std::map<std::int64_t, Sum> sums_;
  std::vector<std::vector<std::byte>>
      spare_;  // buffers of sums that are done: fresh memory costs as much as sending
  std::int64_t last_sum_ = 0;
  std::unique_ptr<Heartbeat> heartbeat_;
};

MpiComm::MpiComm() {
  const CommLimits limits = CommLimits::from_environment();
  int given = 0;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &given), "MPI_Init_thread");
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  SESAME_CHECK(given >= MPI_THREAD_SERIALIZED, "mpi", "this MPI was built without threads (level {})", given);
  SESAME_CHECK(
      size_ == launched().size, "mpi",
      "{} processes were started together, but MPI knows {}: the mpirun used belongs to another MPI than "
      "the one this program was built with",
      launched().size, size_);
  heartbeat_ = std::make_unique<Heartbeat>(MPI_COMM_WORLD, lock_, limits,
                                           [this](int rank, const std::string& why) { lost(rank, why); });
  char host[256] = "?";
  gethostname(host, sizeof host - 1);
  places_ = gather(fmt::format("process {} on {}", getpid(), host));
}

MpiComm::~MpiComm() {
  heartbeat_.reset();
  alarm(30);  // its default action ends a process that waits here for one that died in between
  MPI_Finalize();
  alarm(0);
}

template <class Begin>
void MpiComm::begin(Requests& requests, const char* call, const Begin& begin) {
  MPI_Request request = MPI_REQUEST_NULL;
  lock_.lock_main();
  const int code = begin(&request);
  lock_.unlock();
  check_mpi(code, call);
  requests.push_back(request);
}

template <class Begin>
void MpiComm::run(const char* call, const Begin& begin_one) {
  Requests requests;
  if (heartbeat_) heartbeat_->begins();
  begin(requests, call, begin_one);
  wait_until([&] { return done(requests); });
}

template <class Number>
Comm::Started MpiComm::start(std::span<Number> values, MPI_Datatype type) {
  if (values.empty()) return {};
  heartbeat_->begins();
  Sum& sum = sums_[++last_sum_];
  if (size_ <= kDirectRanks && values.size() >= kDirectNumbers && values.size_bytes() < kPiece) {
    start_direct(sum, values, type);
    return {last_sum_};
  }
  for (std::size_t at = 0; at < values.size(); at += kPiece / sizeof(Number)) {
    const int count = static_cast<int>(std::min(values.size() - at, kPiece / sizeof(Number)));
    begin(sum.requests, "MPI_Iallreduce", [&](MPI_Request* request) {
      return MPI_Iallreduce(MPI_IN_PLACE, values.data() + at, count, type, MPI_SUM, MPI_COMM_WORLD, request);
    });
  }
  return {last_sum_};
}

template <class Number>
void MpiComm::start_direct(Sum& sum, std::span<Number> values, MPI_Datatype type) {
  const auto ranks = static_cast<std::size_t>(size_), own = static_cast<std::size_t>(rank_);
  const int tag = kFirstTag + static_cast<int>(last_sum_ % kTags);
  const auto slice = [values, ranks](std::size_t r) {
    const std::size_t from = values.size() * r / ranks, to = values.size() * (r + 1) / ranks;
    return values.subspan(from, to - from);
  };
  const std::size_t mine = slice(own).size();
  if (!spare_.empty()) {
    sum.received = std::move(spare_.back());
    spare_.pop_back();
  }
  if (sum.received.size() < mine * (ranks - 1) * sizeof(Number)) {
    sum.received.resize(mine * (ranks - 1) * sizeof(Number));
  }
  auto* received = reinterpret_cast<Number*>(sum.received.data());
  const auto exchange = [this, &sum, type, tag, own, ranks](const char* what, auto to_send, auto place_for) {
    for (std::size_t r = 0; r < ranks; ++r) {
      if (r == own) continue;
      const int other = static_cast<int>(r);
      const auto [place, room] = place_for(r);
      begin(sum.requests, what, [&, place = place, room = room](MPI_Request* request) {
        return MPI_Irecv(place, static_cast<int>(room), type, other, tag, MPI_COMM_WORLD, request);
      });
      const auto out = to_send(r);
      begin(sum.requests, what, [&](MPI_Request* request) {
        return MPI_Isend(out.data(), static_cast<int>(out.size()), type, other, tag, MPI_COMM_WORLD, request);
      });
    }
  };
  exchange("MPI_Isend of a slice", slice,
           [=](std::size_t r) { return std::pair(received + (r < own ? r : r - 1) * mine, mine); });
  sum.then = [=](Sum&) {
    const std::span<Number> total = slice(own);
    for (std::size_t r = 0; r + 1 < ranks; ++r) {  // the same order in every run
      const Number* other = received + r * mine;
      for (std::size_t i = 0; i < mine; ++i) total[i] += other[i];
    }
    exchange(
        "MPI_Isend of a sum", [=](std::size_t) { return total; },
        [=](std::size_t r) { return std::pair(slice(r).data(), slice(r).size()); });
  };
}

// Whether nothing is left to do for it.
bool MpiComm::moved_on(Sum& sum) {
  if (!done(sum.requests)) return false;
  if (!sum.then) return true;
  const std::function<void(Sum&)> then = std::exchange(sum.then, nullptr);
  sum.requests.clear();
  then(sum);
  return false;
}

bool MpiComm::done(Requests& requests) {
  lock_.lock_main();
  int all = 0;
  const int code = MPI_Testall(static_cast<int>(requests.size()), requests.data(), &all, MPI_STATUSES_IGNORE);
  lock_.unlock();
  check_mpi(code, "MPI_Testall");
  return all != 0;
}

template <class Done>
void MpiComm::wait_until(const Done& done) {
  heartbeat_->waits(true);
  for (int spins = 0; !done(); ++spins) {
    if (spins < kSpins) {
      sched_yield();
    } else {
      usleep(50);
    }
  }
  heartbeat_->waits(false);
}

void MpiComm::wait(Started& sum) {
  const auto found = sums_.find(sum.id);
  sum.id = -1;
  if (found == sums_.end()) return;
  // Those behind it go on meanwhile: the other ranks may wait for them.
  wait_until([&] {
    progress();
    return found->second.requests.empty();
  });
  if (!found->second.received.empty()) spare_.push_back(std::move(found->second.received));
  sums_.erase(found);
}

void MpiComm::progress() {
  for (auto& [id, sum] : sums_) {
    if (!sum.requests.empty() && moved_on(sum)) sum.requests.clear();
  }
}

void MpiComm::broadcast(std::span<std::byte> bytes, int root) {
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    const int count = static_cast<int>(std::min(bytes.size() - at, kPiece));
    run("MPI_Ibcast", [&](MPI_Request* request) {
      return MPI_Ibcast(bytes.data() + at, count, MPI_BYTE, root, MPI_COMM_WORLD, request);
    });
  }
}

std::vector<std::string> MpiComm::gather(std::string_view own) {
  const auto ranks = static_cast<std::size_t>(size_);
  std::vector<std::int64_t> sizes(ranks);
  sizes[static_cast<std::size_t>(rank_)] = static_cast<std::int64_t>(own.size());
  run("MPI_Iallgather", [&](MPI_Request* request) {
    return MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, sizes.data(), 1, MPI_INT64_T, MPI_COMM_WORLD,
                          request);
  });
  std::vector<std::string> all(ranks);
  const std::size_t most = kPiece / ranks;  // of each rank at a time
  const auto longest = static_cast<std::size_t>(*std::max_element(sizes.begin(), sizes.end()));
  for (std::size_t at = 0; at < longest; at += most) {
    std::vector<int> counts, begins;
    int total = 0;
    for (const std::int64_t size : sizes) {
      const auto rest = static_cast<std::size_t>(size) - std::min(static_cast<std::size_t>(size), at);
      counts.push_back(static_cast<int>(std::min(rest, most)));
      begins.push_back(total);
      total += counts.back();
    }
    std::string piece(static_cast<std::size_t>(total), '\0');
    run("MPI_Iallgatherv", [&](MPI_Request* request) {
      return MPI_Iallgatherv(own.data() + std::min(own.size(), at), counts[static_cast<std::size_t>(rank_)],
                             MPI_BYTE, piece.data(), counts.data(), begins.data(), MPI_BYTE, MPI_COMM_WORLD,
                             request);
    });
    for (std::size_t r = 0; r < ranks; ++r) {
      all[r].append(piece, static_cast<std::size_t>(begins[r]), static_cast<std::size_t>(counts[r]));
    }
  }
  return all;
}

void MpiComm::barrier() {
  run("MPI_Ibarrier", [](MPI_Request* request) { return MPI_Ibarrier(MPI_COMM_WORLD, request); });
}

void MpiComm::end_all(const std::string& line, int code) {
  std::fputs((line + "\n").c_str(), stderr);
  std::fflush(stderr);
  // Where the network is cut mpirun may never answer: this process ends all the same.
  std::thread([code] {
    sleep(3);
    _exit(code);
  }).detach();
  MPI_Abort(MPI_COMM_WORLD, code);
  _exit(code);
}

void MpiComm::abort(const std::string& line, int code) {
  // What is wrong with the input is wrong on all ranks, and rank 0 says it.
  if (rank_ != 0) sleep(kSecondsToSay);
  end_all(rank_ == 0 ? line
                     : fmt::format("{} (rank {}, {})", line, rank_,
                                   places_.empty() ? "" : places_[static_cast<std::size_t>(rank_)]),
          code);
}

void MpiComm::lost(int rank, const std::string& why) {
  if (rank_ > 1) sleep(kSecondsToSay);  // all hear rank 0 fall silent
  const auto place = static_cast<std::size_t>(rank);
  end_all(fmt::format("{}: rank {} ({}) {}: all ranks end", program_invocation_short_name, rank,
                      place < places_.size() ? places_[place] : "not yet known", why),
          3);
}

}  // namespace

std::unique_ptr<Comm> make_mpi_comm() { return std::make_unique<MpiComm>(); }

}  // namespace sesame
