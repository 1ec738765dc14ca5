// Several processes ("ranks") that work on one job. An algorithm written for many runs unchanged on one: the
// null twin has rank 0 of 1 and nothing to send. MPI stands behind the interface (mpi/mpi_comm.cpp), for
// memory of the host; device_sum.h sums what lies on devices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sesame {

// Every rank calls the same collective functions in the same order. A rank that leaves this order, dies or
// gives no sign of life within the deadline ends the whole job with a line that names it
// (docs/distributed.md).
class Comm {
 public:
  virtual ~Comm() = default;
  Comm() = default;
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  bool leads() const { return rank() == 0; }  // writes files, says things

  // A sum on its way; wait() ends it. The numbers must stay where they are and be left alone until then.
  struct Started {
    std::int64_t id = -1;  // -1: nothing to wait for
  };
  // Sums over all ranks, in place; the same bits on every rank, and the same bits again when repeated.
  virtual Started start_sum(std::span<float> values) = 0;
  virtual Started start_sum(std::span<double> values) = 0;
  virtual void wait(Started& sum) = 0;
  // Moves what is on its way; called now and then from within other work.
  virtual void progress() {}
  void sum(std::span<float> values);
  void sum(std::span<double> values);
  double sum(double value);

  // Bytes of rank `root` to all; equal sizes.
  virtual void broadcast(std::span<std::byte> bytes, int root = 0) = 0;
  // A text of any length, of which the others know nothing.
  void broadcast(std::string& text, int root = 0);
  // What each rank gives, in their order, on every rank.
  virtual std::vector<std::string> gather(std::string_view own) = 0;
  virtual void barrier() = 0;

  // Ends all ranks with a line on stderr that names this one, and this exit code.
  [[noreturn]] virtual void abort(const std::string& line, int code = 2) = 0;
  // "MPI, 4 ranks", for people.
  virtual std::string description() const = 0;
};

// One rank.
std::unique_ptr<Comm> make_null_comm();
// The ranks of mpirun. Throws Error where MPI is not built in. Starts MPI; the object ends it.
std::unique_ptr<Comm> make_mpi_comm();

// Of the processes that were started together, as the environment says (Open MPI, MPICH, Slurm): 1 without
// any.
struct Launch {
  int rank = 0, size = 1;
  int on_machine = 0;  // number among the processes of this machine
};
Launch launched();

// The communicator of this process: the null twin until open_world() finds that the process was started by
// mpirun. An ordinary start pays for none of it.
Comm& world();
void open_world();
// Waits until all ranks are here, and ends the communication. Without it an exit counts as a failure of the
// rank.
void close_world();

// Seconds without a sign of life after which a rank counts as dead (SESAME_RANK_DEADLINE, 20), and seconds
// that the others wait for a rank that lives but does not come (SESAME_RANK_PATIENCE, 1800). Throws Error for
// odd values.
struct CommLimits {
  double deadline = 20, patience = 1800;
  static CommLimits from_environment();
};

}  // namespace sesame
