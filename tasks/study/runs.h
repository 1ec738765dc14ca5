// The trainings of a study: which, how long, and what is left of the time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tasks/study/sets.h"
#include "tasks/study/weights.h"
#include "tasks/train/setup.h"
#include "tasks/train/trainer.h"

namespace sesame {

inline constexpr const char* kStarts[] = {"pretrained", "random"};

// One fine-tuning of a set.
struct StudyRun {
  StudySet set;
  std::string start = "pretrained";
  std::uint64_t seed = 1;   // of the fresh weights
  std::uint64_t order = 0;  // of the examples and the dropout; 0: the seed
  std::int64_t steps = 1;

  std::string key() const;       // "sst2/random/1"
  std::string settings() const;  // changes when the result would
};

// Model, data and task of a run.
RunSetup set_up(const StudyRun& run);

// Updates of each run on `set` when `runs` runs share the tokens of the study: options.steps where given,
// else so many that the tokens are used up, at most options.epochs passes.
std::int64_t planned_steps(const StudyOptions& options, const StudySet& set, std::int64_t tokens,
                           std::size_t runs);

// Trains setup.task and leaves the final weights in it. `after_update` as in TrainerOptions; scores are taken
// once, at the end. Files of the run are made under `out` and removed.
TrainResult train_run(const StudyRun& run, const RunSetup& setup, const std::string& out,
                      const std::function<void(std::int64_t, double)>& after_update = {});

// The weights of a finished run from OUT/weights, trained and stored there first where they are not. Leaves
// them in the model.
Weights solution(const StudyRun& run, const RunSetup& setup, const std::string& out);

// The run of seed 1 from which landscape and path draw their plane (landscape.cpp).
StudyRun landscape_run(const StudyOptions& options, const StudySet& set, std::size_t sets,
                       const std::string& start);

// Says which part of a subcommand begins and how long the rest will take, on stderr.
class StudyProgress {
 public:
  StudyProgress(std::string name, std::size_t parts) : name_(std::move(name)), parts_(parts) {}
  // The next part; one that is there already takes no time and says nothing.
  void begin(const std::string& part, bool done);

 private:
  std::string name_;
  std::size_t parts_, done_ = 0, made_ = 0;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace sesame
