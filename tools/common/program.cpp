#include "tools/common/program.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "autograd/backend/cpu/host.h"
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/comm/threads.h"
#include "tasks/ranks/agreement.h"
#include "tools/common/toml_config.h"

namespace sesame {

std::string version_text() {
  return fmt::format(
      "sesame {}; {} kernels; {}; {}", SESAME_VERSION, kernels({}).name, cpu::blas_description(),
      cuda::device_count() > 0 ? fmt::format("{} CUDA devices", cuda::device_count()) : "no CUDA");
}

void add_common_options(CLI::App& app, CommonOptions& options) {
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)->always_capture_default();
  app.set_version_flag("--version", version_text, "Version, instruction set, BLAS and its threads");
  app.set_config("--config", "", "Options from a file, such as a run's run.toml");
  app.config_formatter(std::make_shared<TomlConfig>());
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--threads", options.threads, "CPU threads (default: the container's limit)")
      ->check(CLI::Range(0, 1024));
  app.add_flag("--verbose", options.verbose, "Say more, in errors too");
}

namespace {

constexpr unsigned kSecondsToSayIt = 2;  // what is wrong on all ranks is for rank 0 to say, and ends them all

// Joins the other ranks of mpirun and makes sure that they run the same program.
void join_ranks(const CLI::App& app, const CommonOptions& options) {
  SESAME_CHECK(options.ranks, "mpirun", "{} is a program for one process: start it without mpirun",
               app.get_name());
  open_world();
  if (!world().leads()) {
    // glibc's streams may be replaced; the descriptors stay for MPI's own messages.
    stdout = stderr = std::fopen("/dev/null", "w");
    SESAME_CHECK(stderr != nullptr, "/dev/null", "cannot open: {}", std::strerror(errno));
  }
  check_agreement(world(), {{"the program", app.get_name()},
                            {"the version", SESAME_VERSION},
                            {"the set of kernels (SESAME_ISA chooses a smaller one)", kernels({}).name}});
  const int threads = fair_threads(world());
  cpu::set_threads(options.threads > 0 ? options.threads : threads);
  fmt::print(stderr, "{}; {} threads in rank 0\n", world().description(), cpu::threads());
}

// The end of all ranks where there are several.
int give_up(const CLI::App& app, const std::string& why) {
  const std::string line = fmt::format("{}: {}", app.get_name(), why);
  if (world().size() > 1) world().abort(line);
  if (launched().rank > 0) sleep(kSecondsToSayIt);
  fmt::print(stderr, "{}\n", line);
  return 2;
}

}  // namespace

int run_program(CLI::App& app, int argc, char** argv, const CommonOptions& options,
                const std::function<int()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return launched().rank > 0 ? 0 : app.exit(error);  // --help, --version
    return give_up(app, fmt::format("{}; see --help", error.what()));
  }
  try {
    if (launched().size > 1) {
      join_ranks(app, options);
    } else {
      cpu::set_threads(options.threads);
    }
    const int code = body();
    close_world();
    return code;
  } catch (const std::bad_alloc&) {
    return give_up(app, "out of memory: lower --batch-size or --max-length");
  } catch (const std::exception& error) {
    return give_up(app, error.what());
  }
}

Device device_of_rank(const std::string& name) {
  const Device device = Device::parse(name);
  if (device == Device{} || launched().size == 1 || name.find(':') != std::string::npos) return device;
  const int devices = cuda::device_count();
  return {device.type, devices == 0 ? 0 : launched().on_machine % devices};
}

void print_line(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
                       std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  SESAME_CHECK(written, "stdout", "cannot write: {}", std::strerror(errno));
}

}  // namespace sesame
