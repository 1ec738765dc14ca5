// A whole fine-tuning run: data, model and tokenizer in, the run's folder out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "autograd/tensor.h"
#include "tasks/train/trainer.h"

namespace sesame {

// The options of tools/train under their names there; see interface in docs/train.md.
struct RunOptions {
  std::string task = "classify";
  std::string train, dev, preset, columns, format;
  std::string labels = "auto";  // what the label column holds: auto, class, multi, number
  std::string label_separator = "|";
  std::string model, init = "pretrained";
  std::string head = "linear", pool = "cls";
  std::optional<double> dropout;  // default: as the model's configuration says
  double label_smoothing = 0;
  std::int64_t max_length = 128;
  bool plain_special = false;
  std::int64_t limit = 0, dev_limit = 0;
  Device device = {};
  DType dtype = DType::Float32;
  bool overwrite = false, verbose = false;
  TrainerOptions trainer;  // `out`, `resume` and the usual numbers
  std::string schedule = "linear";
  std::string run_toml;  // content of run.toml, the file that repeats the run
};

// Trains, writes the folder, and returns the run's result as one line of JSON. Throws Error before anything
// is written when data, model or options do not fit together.
std::string fine_tune(const RunOptions& options);

// Counts, lengths, parameters, memory and the first batch as JSON; trains nothing and writes nothing.
std::string dry_run(const RunOptions& options);

}  // namespace sesame
