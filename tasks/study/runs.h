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
  std::string mode;   // names what set.run trains where that is not everything (modes.h)
  double mix_lr = 1;  // factor on the learning rate of a learned mix of layers

  std::string key() const;       // "sst2/random/1", "sst2/adapter 64/1"
  std::string settings() const;  // changes when the result would
};

// The options of tools/train for a run, without a folder.
RunOptions run_options(const StudyRun& run);

// Model, data and task of a run.
RunSetup set_up(const StudyRun& run);

// What a subcommand spends: tokens of all its runs together, and seeds of each set and start.
struct StudyBudget {
  std::int64_t tokens = 0, seeds = 0;
};

// The budget that the options name, else the `usual` one of the subcommand.
StudyBudget budget_of(const StudyOptions& options, const StudyBudget& usual);

// Updates of each run on `set` when `runs` runs share the tokens of the study: options.steps where given,
// else so many that the tokens are used up, at most options.epochs passes.
std::int64_t planned_steps(const StudyOptions& options, const StudySet& set, std::int64_t tokens,
                           std::size_t runs);

// Trains setup.task as tools/train does and leaves the final weights in it. `after_update` as in
// TrainerOptions; scores are taken once, at the end. Files of the run are made under `out` and removed.
TrainResult train_run(const StudyRun& run, const RunSetup& setup, const std::string& out,
                      const std::function<void(std::int64_t, double)>& after_update = {});

// Bytes of the folder that tools/train would leave of this trained model. It is written under `out` and
// removed; low-rank updates are part of the weights afterwards.
std::int64_t stored_bytes(const StudyRun& run, RunSetup& setup, const std::string& out);

// The weights of a finished run from OUT/weights, trained and stored there first where they are not. Leaves
// them in the model.
Weights solution(const StudyRun& run, const RunSetup& setup, const std::string& out);

// The run of seed 1 from which landscape and path draw their plane (landscape.cpp).
StudyRun landscape_run(const StudyOptions& options, const StudySet& set, std::size_t sets,
                       const std::string& start);

// Highest resident memory of this process since the object was made.
class MemoryPeak {
 public:
  MemoryPeak();
  // 0 where the system does not tell (it is Linux that does).
  std::int64_t bytes() const;

 private:
  bool known_ = false;
};

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
