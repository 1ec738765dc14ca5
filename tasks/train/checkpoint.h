// Checkpoints of a run: OUT/checkpoints/step-<n>/ with weights, optimiser and position; OUT/checkpoints/best/
// with the weights of the best evaluation. A folder has its name only when it is complete.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/module.h"
#include "nn/optim/optimizer.h"

namespace sesame {

// Everything about a run that is not in the weights or the optimiser. Random numbers need no state: they are
// functions of seed and step.
struct TrainState {
  std::int64_t step = 0;      // updates done
  std::int64_t examples = 0;  // source rows seen
  std::int64_t tokens = 0;
  double train_seconds = 0;
  double last_loss = 0;
  double best_score = 0;
  std::int64_t best_step = -1;  // -1: no evaluation yet
  std::int64_t evaluations_without_gain = 0;
  std::int64_t skipped_steps = 0;  // non-finite loss or gradient
  bool finished = false;
  std::string fingerprint;  // JSON object of the options that must not change between runs
};

// "--lr was 5e-05, is 0.0001": how two fingerprints differ; empty when they are equal. Batch size,
// accumulation and number of ranks may change as long as the examples of an update stay the same.
std::string changed_options(const std::string& before, const std::string& now);

// A state as JSON text, and back; `where` is named in the Error for a text that is none.
std::string state_text(const TrainState& state);
TrainState state_of_text(const std::string& text, const std::string& where);

class Checkpoints {
 public:
  // `out` is the run's folder; `keep` the number of step checkpoints to keep.
  Checkpoints(const std::string& out, std::int64_t keep);

  void save_step(const TrainState& state, const std::vector<NamedParameter>& parameters,
                 const Optimizer& optimizer);
  void save_best(const TrainState& state, const std::vector<NamedParameter>& parameters);

  // State of the newest complete checkpoint, if there is one.
  std::optional<TrainState> newest() const;
  // Loads weights and optimiser of the newest checkpoint. Throws Error when it does not fit.
  TrainState load_newest(const std::vector<NamedParameter>& parameters, Optimizer& optimizer) const;
  bool has_best() const;
  // Of a finished run whose folder holds the last weights: removes those of the checkpoints and the
  // optimiser's state; that the run is finished, and with which options, stays. The best weights go only
  // where `best_too` says that the folder holds them.
  void drop_weights(bool best_too) const;
  void load_best(const std::vector<NamedParameter>& parameters) const;

 private:
  std::vector<std::int64_t> steps() const;  // ascending
  std::string folder_;
  std::int64_t keep_;
};

}  // namespace sesame
