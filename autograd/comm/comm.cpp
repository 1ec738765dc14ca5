#include "autograd/comm/comm.h"

#include <cstdlib>
#include <cstring>

#include "autograd/check.h"

namespace sesame {
namespace {

class NullComm : public Comm {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  Started start_sum(std::span<float>) override { return {}; }
  Started start_sum(std::span<double>) override { return {}; }
  void wait(Started&) override {}
  using Comm::broadcast;
  void broadcast(std::span<std::byte>, int root) override {
    SESAME_CHECK(root == 0, "comm", "there is one rank, the root is {}", root);
  }
  std::vector<std::string> gather(std::string_view own) override { return {std::string(own)}; }
  void barrier() override {}
  [[noreturn]] void abort(const std::string& line, int code) override {
    std::fputs((line + "\n").c_str(), stderr);
    std::exit(code);
  }
  std::string description() const override { return "one process"; }
};

int number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? -1 : std::atoi(text);
}

// Number of this process among those of its machine: Open MPI, MPICH, Slurm.
int number_on_machine() {
  for (const char* variable : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}) {
    if (number_of(variable) >= 0) return number_of(variable);
  }
  return 0;
}

double seconds_of(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return otherwise;
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  SESAME_CHECK(end != text && *end == '\0' && value >= 1 && value <= 1e6, variable,
               "must be a number of seconds from 1 to 1000000, got '{}'", text);
  return value;
}

// Never destroyed: a process that leaves without close_world() must not look as if its work were done.
std::unique_ptr<Comm>& the_world() {
  static auto* comm = new std::unique_ptr<Comm>(make_null_comm());
  return *comm;
}

}  // namespace

std::unique_ptr<Comm> make_null_comm() { return std::make_unique<NullComm>(); }

void Comm::sum(std::span<float> values) {
  Started started = start_sum(values);
  wait(started);
}

void Comm::sum(std::span<double> values) {
  Started started = start_sum(values);
  wait(started);
}

double Comm::sum(double value) {
  sum(std::span(&value, 1));
  return value;
}

void Comm::broadcast(std::string& text, int root) {
  auto length = static_cast<std::uint64_t>(text.size());
  broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
  text.resize(length);
  broadcast(std::as_writable_bytes(std::span(text)), root);
}

Launch launched() {
  // srun sets its variables for every step, also for ones that are no MPI program: PMI's are the sign.
  for (const auto& [size, rank] :
       {std::pair("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), std::pair("PMI_SIZE", "PMI_RANK")}) {
    if (number_of(size) > 0 && number_of(rank) >= 0)
      return {number_of(rank), number_of(size), number_on_machine()};
  }
  if (std::getenv("PMIX_RANK") != nullptr && number_of("SLURM_NTASKS") > 0) {  // srun --mpi=pmix
    return {number_of("PMIX_RANK"), number_of("SLURM_NTASKS"), number_on_machine()};
  }
  return {};
}

Comm& world() { return *the_world(); }

void open_world() {
  if (launched().size > 1 && world().size() == 1) the_world() = make_mpi_comm();
}

void close_world() {
  if (world().size() == 1) return;
  world().barrier();
  the_world() = make_null_comm();
}

CommLimits CommLimits::from_environment() {
  return {.deadline = seconds_of("SESAME_RANK_DEADLINE", 20),
          .patience = seconds_of("SESAME_RANK_PATIENCE", 1800)};
}

}  // namespace sesame
