// What all programs share: options by CLI11, one-line errors with exit code 2, --version, --threads.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "autograd/device.h"

namespace sesame {

// "sesame 0.1.0; cpu/avx2 kernels; OpenBLAS 0.3.21 Haswell, OpenMP, 2 threads; no CUDA".
std::string version_text();

// Adds --version, --threads and --verbose; an option given twice counts once, the last time.
struct CommonOptions {
  int threads = 0;
  bool verbose = false;
  bool ranks = false;  // the program can be started by mpirun: processes share its work
};
void add_common_options(CLI::App& app, CommonOptions& options);

// Parses the command line and runs `body` with its result as the exit code. Wrong usage and Error end with
// one line on stderr and exit code 2. Under mpirun, rank 0 alone has stdout and stderr, but for such errors.
int run_program(CLI::App& app, int argc, char** argv, const CommonOptions& options,
                const std::function<int()>& body);

// The device that --device names in this process: several ranks take the devices of their machine in turn,
// unless the name has a number. Throws Error on anything else than a device's name.
Device device_of_rank(const std::string& name);

// A line on stdout; throws Error when it cannot be written (a full disk).
void print_line(const std::string& text);

}  // namespace sesame
