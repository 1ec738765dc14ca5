#include "tools/common/program.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "autograd/backend/cpu/host.h"
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
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

int run_program(CLI::App& app, int argc, char** argv, const CommonOptions& options,
                const std::function<int()>& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    fmt::print(stderr, "{}: {}; see --help\n", app.get_name(), error.what());
    return 2;
  }
  try {
    cpu::set_threads(options.threads);
    return body();
  } catch (const Error& error) {
    fmt::print(stderr, "{}: {}\n", app.get_name(), error.what());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "{}: out of memory: lower --batch-size or --max-length\n", app.get_name());
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", app.get_name(), error.what());
  }
  return 2;
}

void print_line(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
                       std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  SESAME_CHECK(written, "stdout", "cannot write: {}", std::strerror(errno));
}

}  // namespace sesame
