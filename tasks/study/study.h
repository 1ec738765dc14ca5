// Why pre-training works, repeated on data at hand: measurements that are small enough for two cores, and
// the page that shows them (docs/study.md).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sesame {

// The options of tools/study under their names there.
struct StudyOptions {
  std::string model, out;
  std::vector<std::string> data;     // "NAME=DIR[,key=value...]", see study_sets
  std::vector<std::string> presets;  // "NAME=DIR": a known data set
  bool examples = true;              // the project's own example data too
  std::int64_t seeds = 0;            // 0: the subcommand's own, as with the other zeros
  std::int64_t tokens = 0;           // through training, of all runs of a subcommand together
  std::int64_t steps = 0;            // so many updates a run instead
  std::int64_t epochs = 6;           // at most so many passes
  std::int64_t batch_size = 16;
  double lr = 1e-4;
  std::int64_t dev_limit = 0;     // development examples that are scored
  std::int64_t evaluations = 8;   // scores along a curve
  std::int64_t probe_tokens = 0;  // of the examples on which a surface is measured; 0: 2400 over all sets
  std::int64_t line_points = 17, grid = 9;
  double radius = 0.5;          // of the plane around the solution, in lengths of the filters
  std::int64_t snapshots = 24;  // on a path
  bool verbose = false;
};

struct StudyCommand {
  const char* name;
  const char* what;  // for --help
  void (*run)(const StudyOptions& options);
};
// curves, landscape, path, rollback, modes, layers, table.
std::span<const StudyCommand> study_commands();

// Runs one of them, "all", or "page" (only the page), writes study.html from all results in options.out and
// returns one line of JSON. Throws Error for an unknown name, for options that make no sense and before
// anything is trained where --out cannot be written.
std::string run_study(const std::string& command, const StudyOptions& options);

// Each leaves its results in <out>/<name>.jsonl.
void study_curves(const StudyOptions& options);     // training loss and dev score, pretrained and random
void study_landscape(const StudyOptions& options);  // the loss around start and solution
void study_path(const StudyOptions& options);       // the optimiser's way; needs landscape, and runs it
void study_rollback(const StudyOptions& options);   // groups of layers set back after fine-tuning
void study_modes(const StudyOptions& options);      // what is trained, and what it costs
void study_layers(const StudyOptions& options);     // learned weights of the layers, by task
void study_table(const StudyOptions& options);      // scores beside published ones

}  // namespace sesame
