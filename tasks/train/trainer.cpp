#include "tasks/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include "autograd/check.h"
#include "nn/optim/adamw.h"
#include "tasks/logging/metrics_jsonl.h"
#include "tasks/logging/progress.h"
#include "tasks/logging/tfevents.h"
#include "tasks/train/sampler.h"
#include "tasks/train/shared_state.h"
#include "tasks/train/stop_signal.h"
#include "tasks/train/update_step.h"

namespace sesame {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// One run. The members are the state that the steps of the loop share.
class Run {
 public:
  Run(Task& task, const TrainerOptions& options)
      : task_(task),
        options_(options),
        sampler_({.examples = task.train_size(),
                  .batch_size = options.batch_size,
                  .batch_tokens = options.batch_tokens,
                  .accumulate = options.accumulate * world().size(),
                  .bucket = options.bucket,
                  .seed = options.seed},
                 [&task](std::int64_t i) { return task.train_length(i); }),
        parameters_(task.model().parameters()),
        optimizer_(parameters_, {.weight_decay = options.weight_decay, .lr_factor = options.lr_factor}),
        checkpoints_(options.out, options.keep),
        metric_(options.metric.empty() ? task.main_metric() : options.metric) {
    for (const NamedParameter& p : parameters_) {
      if (p.tensor.requires_grad()) trained_.push_back(p);
    }
    SESAME_CHECK(!trained_.empty(), "train", "nothing is left to train: every parameter is frozen");
    updates_ = std::make_unique<UpdateStep>(task_, trained_, optimizer_, comm_,
                                            UpdateStepOptions{.clip = options.clip, .seed = options.seed});
    plan_length();
  }

  TrainResult run();

 private:
  void plan_length();
  std::int64_t begin();
  void take_up();
  void begin_epoch(std::int64_t epoch);
  void update(const Update& parts);
  void settle(std::size_t left);
  void note_finiteness(const FinishedUpdate& update);
  void record(const FinishedUpdate& update);
  void after_update(bool epoch_ends);
  void stop_if_asked();
  void evaluate();
  bool last_step() const { return state_.step >= total_steps_; }
  void finish();

  Task& task_;
  const TrainerOptions& options_;
  Comm& comm_ = world();  // its parts of each update are this rank's
  Sampler sampler_;
  std::vector<NamedParameter> parameters_;
  std::vector<NamedParameter> trained_;  // what checkpoints hold: the rest is as the run begins with it
  AdamW optimizer_;
  std::unique_ptr<UpdateStep> updates_;
  Checkpoints checkpoints_;  // rank 0's, as are the logs
  std::string metric_;
  Schedule schedule_;
  std::int64_t total_steps_ = 0, epochs_ = 0;
  double planning_seconds_ = 0;  // a token budget tokenises before the first step: that counts as training
  std::int64_t bad_in_a_row_ = 0;
  TrainState state_;
  TrainResult result_;
  StopSignal stop_;
  std::unique_ptr<MetricsLog> log_;
  std::unique_ptr<TensorBoardLog> board_;
  std::unique_ptr<Progress> progress_;
};

void Run::plan_length() {
  const Clock::time_point begin = Clock::now();
  total_steps_ = options_.steps;
  epochs_ = options_.epochs;
  if (options_.steps > 0 && options_.begin_epoch) {
    const auto updates = options_.batch_tokens == 0 ? sampler_.updates_per_epoch()
                                                    : static_cast<std::int64_t>(sampler_.epoch(0).size());
    epochs_ = (options_.steps + updates - 1) / updates;
  }
  if (total_steps_ == 0 && options_.batch_tokens == 0)
    total_steps_ = options_.epochs * sampler_.updates_per_epoch();
  if (total_steps_ == 0) {
    for (std::int64_t e = 0; e < options_.epochs; ++e) {
      total_steps_ += static_cast<std::int64_t>(sampler_.epoch(e).size());
    }
  }
  const double warmup =
      options_.warmup < 1 ? options_.warmup * static_cast<double>(total_steps_) : options_.warmup;
  schedule_ = {options_.schedule, static_cast<std::int64_t>(warmup), total_steps_};
  planning_seconds_ = seconds_since(begin);
}

// Takes up an earlier run from rank 0's folder.
void Run::take_up() {
  const auto saved = comm_.leads() ? checkpoints_.newest() : std::nullopt;
  if (saved.has_value()) {
    const std::string changed = changed_options(saved->fingerprint, options_.fingerprint);
    SESAME_CHECK(changed.empty(), "resume",
                 "the run in '{}' cannot go on with other options: {}; give the old ones, or start anew with "
                 "--overwrite",
                 options_.out, changed);
    state_ = checkpoints_.load_newest(trained_, optimizer_);
  }
  if (comm_.sum(saved.has_value() ? 1. : 0.) == 0) {
    fmt::print(stderr, "nothing to resume in '{}': starting from the beginning\n", options_.out);
    return;
  }
  share_state(comm_, state_, trained_, optimizer_);
  fmt::print(stderr, "resuming at update {} of {}\n", state_.step, total_steps_);
}

// Returns the number of updates done before.
std::int64_t Run::begin() {
  if (options_.resume) take_up();
  state_.fingerprint = options_.fingerprint;
  if (!comm_.leads()) return state_.step;
  log_ = std::make_unique<MetricsLog>(options_.out + "/metrics.jsonl", state_.step > 0 ? state_.step : -1);
  board_ = std::make_unique<TensorBoardLog>(options_.out, state_.step > 0 ? state_.step + 1 : 0);
  return state_.step;
}

void Run::begin_epoch(std::int64_t epoch) {
  if (options_.begin_epoch) options_.begin_epoch(epoch, epochs_, trained_);
  if (epoch > 0 && !options_.begin_epoch) return;
  const std::string how = updates_->prepare();
  if (!how.empty()) progress_->message("gradients are summed by " + how);
}

void Run::update(const Update& parts) {
  const Clock::time_point begin = Clock::now();
  const double lr = options_.lr * schedule_.factor(state_.step);
  const UpdateStep::Counts counts = updates_->start(parts, state_.step, lr);
  ++state_.step;
  state_.examples += counts.examples;
  state_.tokens += counts.tokens;
  state_.train_seconds += seconds_since(begin);
  // A device works on this update while the host logs the one before; who looks at every update wants it
  // done.
  settle(options_.after_update ? 0 : 1);
}

// Takes in the numbers of all updates but the last `left`, in their order. Before anything that reads weights
// or state, none may be left.
void Run::settle(std::size_t left) {
  while (updates_->under_way() > left || updates_->next_is_here()) {
    const Clock::time_point begin = Clock::now();
    const FinishedUpdate update = updates_->finish();
    state_.train_seconds += seconds_since(begin);
    record(update);
  }
}

void Run::note_finiteness(const FinishedUpdate& update) {
  const std::string& where = update.not_finite;
  if (where.empty()) {
    bad_in_a_row_ = 0;
    return;
  }
  ++state_.skipped_steps;
  SESAME_CHECK(
      ++bad_in_a_row_ < 5, "train",
      "{} is not finite for {} updates in a row (now at {}): lower --lr, raise --warmup, or check the data",
      where, bad_in_a_row_, update.step);
  progress_->message(fmt::format("update {} skipped: {} is not finite", update.step, where));
}

void Run::record(const FinishedUpdate& update) {
  note_finiteness(update);
  const std::int64_t done = update.step + 1;
  state_.last_loss = update.loss;
  if (comm_.leads()) {
    Metrics line;
    line.set("loss", update.loss);
    line.set("lr", update.lr);
    line.set("grad_norm", update.norm);
    log_->write(done, line);
    board_->scalar("train/loss", update.loss, done);
    board_->scalar("train/lr", update.lr, done);
  }
  progress_->update(done, fmt::format("loss {:.4f}  lr {:.2e}", update.loss, update.lr));
  if (options_.after_update) options_.after_update(done, update.loss);
}

void Run::evaluate() {
  task_.model().eval();
  result_.dev = task_.evaluate();
  task_.model().train();
  if (result_.dev.empty()) return;
  if (comm_.leads()) {
    log_->write_evaluation(state_.step, "dev", result_.dev);
    for (const auto& [name, value] : result_.dev) board_->scalar("dev/" + name, value, state_.step);
  }
  progress_->message(fmt::format("update {}: dev {}", state_.step, result_.dev.json()));
  double score = result_.dev.at(metric_) * (higher_is_better(metric_) ? 1 : -1);
  if (std::isnan(score)) score = -std::numeric_limits<double>::infinity();  // a correlation with a constant
  if (state_.best_step < 0 || score > state_.best_score) {
    state_.best_score = score;
    state_.best_step = state_.step;
    state_.evaluations_without_gain = 0;
    if (comm_.leads()) checkpoints_.save_best(state_, trained_);
  } else {
    ++state_.evaluations_without_gain;
  }
  result_.stopped_early =
      options_.early_stop > 0 && state_.evaluations_without_gain >= options_.early_stop && !last_step();
}

void Run::after_update(bool epoch_ends) {
  const bool evaluates =
      last_step() || (options_.eval_every > 0 ? state_.step % options_.eval_every == 0 : epoch_ends);
  if (evaluates) settle(0), evaluate();
  const bool saves = options_.save_every > 0 ? state_.step % options_.save_every == 0 : evaluates;
  const bool ends = last_step() || result_.stopped_early;
  if (saves && !ends) settle(0);
  if (saves && !ends && comm_.leads()) checkpoints_.save_step(state_, trained_, optimizer_);
  if (!ends) stop_if_asked();
}

// A signal to any rank stops all of them behind the same update, with a checkpoint.
void Run::stop_if_asked() {
  const char* signal = stop_.received();
  if (comm_.sum(signal != nullptr ? 1. : 0.) == 0) return;
  settle(0);
  if (comm_.leads()) checkpoints_.save_step(state_, trained_, optimizer_);
  progress_->finish();
  fail("train", "stopped by {} after update {} of {}: the checkpoint is written, --resume goes on from it",
       signal != nullptr ? signal : "a signal to another rank", state_.step, total_steps_);
}

void Run::finish() {
  const bool has_best = comm_.sum(comm_.leads() && checkpoints_.has_best() ? 1. : 0.) > 0;
  if (options_.keep_best && has_best && state_.best_step != state_.step) {
    // The last checkpoint is written already: it holds the weights that belong to its optimiser.
    if (comm_.leads()) checkpoints_.load_best(trained_);
    share_values(comm_, trained_);
    task_.model().eval();
    result_.dev = task_.evaluate();
  }
  task_.model().eval();
  result_.state = state_;
}

TrainResult Run::run() {
  const std::int64_t before = begin();
  if (state_.finished) {
    result_.already_finished = true;
    task_.model().eval();
    result_.dev = task_.evaluate();
    finish();
    return result_;
  }
  progress_ = std::make_unique<Progress>("training", total_steps_, "updates");
  progress_->start_at(before);
  task_.model().train();
  if (before == 0) state_.train_seconds += planning_seconds_;
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; !last_step() && !result_.stopped_early; ++epoch) {
    begin_epoch(epoch);
    const Clock::time_point ordering = Clock::now();
    const std::vector<Update> updates = sampler_.epoch(epoch);
    if (step >= before) state_.train_seconds += seconds_since(ordering);
    for (std::size_t i = 0; i < updates.size() && !last_step() && !result_.stopped_early; ++i) {
      if (step++ < before) continue;  // done before the run was taken up again
      update(updates[i]);
      after_update(i + 1 == updates.size());
    }
  }
  progress_->finish();
  state_.finished = true;
  if (comm_.leads()) {
    board_->flush();
    checkpoints_.save_step(state_, trained_, optimizer_);
  }
  finish();
  return result_;
}

}  // namespace

void check(const TrainerOptions& o, const Task& task) {
  constexpr std::int64_t most = std::int64_t{1} << 31;
  const auto count = [&](const char* name, std::int64_t value, std::int64_t least) {
    SESAME_CHECK(value >= least && value <= most, name, "must be {} to 2^31, got {}", least, value);
  };
  count("--epochs", o.epochs, o.steps > 0 ? 0 : 1);
  count("--steps", o.steps, 0);
  count("--batch-size", o.batch_size, 1);
  count("--batch-tokens", o.batch_tokens, 0);
  count("--accumulate", o.accumulate, 1);
  count("--eval-every", o.eval_every, 0);
  count("--save-every", o.save_every, 0);
  count("--keep", o.keep, 1);
  count("--early-stop", o.early_stop, 0);
  const auto number = [](const char* name, double value) {
    SESAME_CHECK(std::isfinite(value) && value >= 0, name, "must be a number not below 0, got {}", value);
  };
  number("--lr", o.lr);
  number("--warmup", o.warmup);
  number("--weight-decay", o.weight_decay);
  number("--clip", o.clip);
  if (task.dev_size() == 0) {
    SESAME_CHECK(o.metric.empty() && o.early_stop == 0 && !o.keep_best, "train",
                 "--metric, --early-stop and --keep-best need development data: pass --dev");
    return;
  }
  const std::vector<std::string> names = task.metric_names();
  const std::string wanted = o.metric.empty() ? task.main_metric() : o.metric;
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  SESAME_CHECK(std::find(names.begin(), names.end(), wanted) != names.end(), "--metric",
               "this task has no score '{}': it has {}", wanted, list);
}

TrainResult train(Task& task, const TrainerOptions& options) {
  check(options, task);
  return Run(task, options).run();
}

}  // namespace sesame
