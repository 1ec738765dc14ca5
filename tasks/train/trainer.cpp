#include "tasks/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>

#include "autograd/check.h"
#include "autograd/comm/gradient_sum.h"
#include "autograd/engine.h"
#include "autograd/optimizer_step.h"
#include "autograd/random.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "tasks/logging/metrics_jsonl.h"
#include "tasks/logging/progress.h"
#include "tasks/logging/tfevents.h"
#include "tasks/train/sampler.h"
#include "tasks/train/shared_state.h"
#include "tasks/train/stop_signal.h"

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
    measured_ = share_of(trained_, comm_);
    plan_length();
  }

  TrainResult run();

 private:
  void plan_length();
  std::int64_t begin();
  void take_up();
  void begin_epoch(std::int64_t epoch);
  double grad_norm();
  void update(const Update& parts);
  double backward(const Update& parts, std::int64_t* examples);
  bool usable(double loss, double norm);
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
  std::vector<NamedParameter> trained_;   // what checkpoints hold: the rest is as the run begins with it
  std::vector<NamedParameter> measured_;  // of which this rank takes the gradient's norm
  AdamW optimizer_;
  std::unique_ptr<DeviceSum> device_sum_;  // where the weights lie on a device
  std::unique_ptr<GradientSum> gradients_;
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

// Gradients of one update, added up over its parts, of which each rank computes every size-th. Their sum over
// the ranks is under way while the last part's backward pass still runs. Returns the loss.
double Run::backward(const Update& parts, std::int64_t* examples) {
  const auto ranks = static_cast<std::size_t>(comm_.size()), own = static_cast<std::size_t>(comm_.rank());
  double terms = 0;
  for (std::size_t k = own; k < parts.size(); k += ranks) terms += task_.loss_terms(parts[k]);
  terms = comm_.sum(terms);
  double sums[] = {0, 0};  // loss, tokens
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const std::int64_t first = *examples;
    *examples += static_cast<std::int64_t>(parts[k].size());
    if (k % ranks != own) continue;
    const RandomScope scope(options_.seed, static_cast<std::uint64_t>(state_.step));
    const LossPart result = task_.loss(parts[k], first, terms);
    BackwardOptions pass;
    if (ranks > 1 && k + ranks >= parts.size()) {
      pass.leaf_done = [this](const Tensor& leaf) { gradients_->ready(leaf); };
    }
    sesame::backward(result.loss, pass);
    sums[0] += result.loss.item();
    sums[1] += static_cast<double>(result.tokens);
  }
  gradients_->finish(sums);
  state_.tokens += static_cast<std::int64_t>(sums[1]);
  return sums[0];
}

// Each rank measures its share of the parameters: less work, and the same bits on all.
double Run::grad_norm() {
  if (comm_.size() == 1) return global_grad_norm(trained_);
  const double own = global_grad_norm(measured_);
  return std::sqrt(comm_.sum(own * own));
}

void Run::begin_epoch(std::int64_t epoch) {
  if (options_.begin_epoch) options_.begin_epoch(epoch, epochs_, trained_);
  if (gradients_ && !options_.begin_epoch) return;
  std::vector<Tensor> leaves;  // what begin_epoch froze has no gradient to sum
  for (const NamedParameter& p : trained_) {
    if (p.tensor.requires_grad()) leaves.push_back(p.tensor);
  }
  if (comm_.size() > 1 && !device_sum_ && !(trained_.at(0).tensor.device() == Device{})) {
    device_sum_ = make_device_sum(comm_, trained_[0].tensor.device());
    progress_->message("gradients are summed by " + device_sum_->description());
  }
  gradients_ =
      std::make_unique<GradientSum>(comm_, std::move(leaves), GradientSum::kBucketBytes, device_sum_.get());
}

// A non-finite loss or gradient spoils the weights for good: the update is left out, and counted.
bool Run::usable(double loss, double norm) {
  if (std::isfinite(loss) && std::isfinite(norm)) {
    bad_in_a_row_ = 0;
    return true;
  }
  std::string where = "the loss";
  for (const NamedParameter& p : trained_) {
    if (p.tensor.grad().defined() && !std::isfinite(sum_of_squares(p.tensor.grad()))) {
      where = "the gradient of " + p.name;
      break;
    }
  }
  ++state_.skipped_steps;
  SESAME_CHECK(
      ++bad_in_a_row_ < 5, "train",
      "{} is not finite for {} updates in a row (now at {}): lower --lr, raise --warmup, or check the data",
      where, bad_in_a_row_, state_.step);
  progress_->message(fmt::format("update {} skipped: {} is not finite", state_.step, where));
  return false;
}

void Run::update(const Update& parts) {
  const Clock::time_point begin = Clock::now();
  std::int64_t examples = 0;
  const double loss = backward(parts, &examples);
  const double norm = grad_norm();
  const double lr = options_.lr * schedule_.factor(state_.step);
  if (usable(loss, norm)) optimizer_.step(lr, clip_factor(norm, options_.clip));
  for (NamedParameter& p : trained_) p.tensor.zero_grad();
  ++state_.step;
  state_.examples += examples;
  state_.last_loss = loss;
  state_.train_seconds += seconds_since(begin);

  if (comm_.leads()) {
    Metrics line;
    line.set("loss", loss);
    line.set("lr", lr);
    line.set("grad_norm", norm);
    log_->write(state_.step, line);
    board_->scalar("train/loss", loss, state_.step);
    board_->scalar("train/lr", lr, state_.step);
  }
  progress_->update(state_.step, fmt::format("loss {:.4f}  lr {:.2e}", loss, lr));
  if (options_.after_update) options_.after_update(state_.step, loss);
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
  if (evaluates) evaluate();
  const bool saves = options_.save_every > 0 ? state_.step % options_.save_every == 0 : evaluates;
  const bool ends = last_step() || result_.stopped_early;
  if (saves && !ends && comm_.leads()) checkpoints_.save_step(state_, trained_, optimizer_);
  if (!ends) stop_if_asked();
}

// A signal to any rank stops all of them behind the same update, with a checkpoint.
void Run::stop_if_asked() {
  const char* signal = stop_.received();
  if (comm_.sum(signal != nullptr ? 1. : 0.) == 0) return;
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
