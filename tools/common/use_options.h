// The options that predict and evaluate share.
#pragma once

#include <memory>
#include <string>

#include "tasks/use/predictor.h"
#include "tools/common/program.h"

namespace sesame {

// Where to compute, and in what.
struct ComputeOptions {
  std::string device = "cpu", dtype = "fp32";
};

void add_use_options(CLI::App& app, UseOptions& use, ComputeOptions& compute);

// The trained models that `use` names, ready to predict. Throws Error for options out of range and for models
// of different tasks.
std::unique_ptr<Predictor> load_predictor(UseOptions& use, const ComputeOptions& compute, bool verbose);

// Under mpirun: all ranks have the same models and the same `data`, which is a file. Throws Error otherwise.
void check_same_use(const UseOptions& use, const std::string& data);

}  // namespace sesame
