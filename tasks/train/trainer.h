// The training loop: updates, evaluation, early stopping, checkpoints, logs. Knows no task and no model.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "nn/optim/schedule.h"
#include "tasks/metrics/metrics.h"
#include "tasks/train/checkpoint.h"
#include "tasks/train/task.h"

namespace sesame {

struct TrainerOptions {
  std::int64_t epochs = 3;
  std::int64_t steps = 0;  // > 0: so many updates instead of epochs
  std::int64_t batch_size = 32, batch_tokens = 0, accumulate = 1;
  bool bucket = false;
  double lr = 5e-5;
  double warmup = 0.1;  // below 1: share of all updates; else number of updates
  ScheduleKind schedule = ScheduleKind::Linear;
  double weight_decay = 0.01;
  double clip = 1;  // global gradient norm; 0: off
  std::uint64_t seed = 42;
  std::int64_t eval_every = 0;  // updates between evaluations; 0: at the end of each epoch
  std::int64_t save_every = 0;  // updates between checkpoints; 0: with each evaluation
  std::int64_t keep = 1;        // step checkpoints kept beside the best
  std::int64_t early_stop = 0;  // stop after so many evaluations without gain; 0: never
  std::string metric;           // picks the best; empty: the task's own
  bool keep_best = false;       // end with the best weights instead of the last
  bool resume = false;
  std::string out;          // folder of the run
  std::string fingerprint;  // of everything that a resumed run must share
  // Factor on the learning rate of a parameter; none: 1.
  std::function<double(const std::string& parameter)> lr_factor = {};
  // Called before each epoch (from 0) of `epochs`, also of those that a resumed run did before, with all
  // parameters that are trained at some time; may switch their gradients.
  std::function<void(std::int64_t epoch, std::int64_t epochs, const std::vector<NamedParameter>& trained)>
      begin_epoch = {};
  // Called after each update with its number and its loss: measurements, snapshots of the weights.
  std::function<void(std::int64_t step, double loss)> after_update = {};
};

struct TrainResult {
  TrainState state;
  Metrics dev;  // of the weights that the model holds at the end
  bool already_finished = false;
  bool stopped_early = false;
};

// Throws Error for numbers out of range, for a metric that the task does not have, and for --metric,
// --early-stop and
// --keep-best without development data. train() checks too; callers that write something before it call this
// first.
void check(const TrainerOptions& options, const Task& task);

// Trains task.model() and leaves the final weights in it. Throws Error when training cannot go on (five
// updates in a row with non-finite loss or gradient), naming the step and the first parameter concerned.
TrainResult train(Task& task, const TrainerOptions& options);

}  // namespace sesame
