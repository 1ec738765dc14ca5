#include "tasks/train/update_step.h"

#include <cmath>

#include "autograd/engine.h"
#include "autograd/optimizer_step.h"
#include "autograd/random.h"
#include "nn/optim/clip.h"
#include "tasks/train/shared_state.h"

namespace sesame {

UpdateStep::UpdateStep(Task& task, std::vector<NamedParameter> trained, AdamW& optimizer, Comm& comm,
                       const UpdateStepOptions& options)
    : task_(task),
      trained_(std::move(trained)),
      measured_(share_of(trained_, comm)),
      optimizer_(optimizer),
      comm_(comm),
      options_(options) {}

std::string UpdateStep::prepare() {
  std::vector<Tensor> leaves;  // what is frozen now has no gradient to sum
  for (const NamedParameter& p : trained_) {
    if (p.tensor.requires_grad()) leaves.push_back(p.tensor);
  }
  std::string how;
  if (comm_.size() > 1 && !device_sum_ && !(trained_.at(0).tensor.device() == Device{})) {
    device_sum_ = make_device_sum(comm_, trained_[0].tensor.device());
    how = device_sum_->description();
  }
  gradients_ =
      std::make_unique<GradientSum>(comm_, std::move(leaves), GradientSum::kBucketBytes, device_sum_.get());
  return how;
}

// Gradients of one update, added up over its parts, of which each rank computes every size-th. With ranks,
// their sum is under way while the last part's backward pass still runs.
UpdateStep::Counts UpdateStep::passes(const Update& parts, std::int64_t step, std::vector<Tensor>& losses) {
  const auto ranks = static_cast<std::size_t>(comm_.size()), own = static_cast<std::size_t>(comm_.rank());
  double terms = 0;
  for (std::size_t k = own; k < parts.size(); k += ranks) terms += task_.loss_terms(parts[k]);
  terms = comm_.sum(terms);
  Counts counts;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const std::int64_t first = counts.examples;
    counts.examples += static_cast<std::int64_t>(parts[k].size());
    if (k % ranks != own) continue;
    const RandomScope scope(options_.seed, static_cast<std::uint64_t>(step));
    const LossPart part = task_.loss(parts[k], first, terms);
    BackwardOptions pass;
    if (ranks > 1 && k + ranks >= parts.size()) {
      pass.leaf_done = [this](const Tensor& leaf) { gradients_->ready(leaf); };
    }
    sesame::backward(part.loss, pass);
    losses.push_back(part.loss.detach());
    counts.tokens += part.tokens;
  }
  return counts;
}

UpdateStep::Counts UpdateStep::start(const Update& parts, std::int64_t step, double lr) {
  std::vector<Tensor> losses;
  Counts counts = passes(parts, step, losses);
  Started& started = started_.emplace_back();
  started.update.step = step;
  started.update.lr = lr;
  if (comm_.size() == 1) {
    const GradientNorm norms = gradient_norm(trained_, losses);
    optimizer_.step_clipped(lr, norms.norm(), options_.clip);
    for (const Tensor& loss : losses) started.losses.emplace_back(loss);
    started.norms = Later(norms.numbers);
  } else {
    finish_with_ranks(started.update, losses, counts);
  }
  for (NamedParameter& p : trained_) p.tensor.zero_grad();
  return counts;
}

// Each rank measures its share of the parameters: less work, and the same bits on all.
void UpdateStep::finish_with_ranks(FinishedUpdate& update, const std::vector<Tensor>& losses,
                                   Counts& counts) {
  double sums[] = {0, static_cast<double>(counts.tokens)};
  for (const Tensor& loss : losses) sums[0] += loss.item();
  gradients_->finish(sums);
  update.loss = sums[0];
  counts.tokens = static_cast<std::int64_t>(sums[1]);
  const double own = global_grad_norm(measured_);
  update.norm = std::sqrt(comm_.sum(own * own));
  if (std::isfinite(update.loss) && std::isfinite(update.norm)) {
    optimizer_.step(update.lr, clip_factor(update.norm, options_.clip));
  } else {
    update.not_finite = first_not_finite(gradient_norm(trained_).numbers.to_vector<double>());
  }
}

std::string UpdateStep::first_not_finite(const std::vector<double>& norms) const {
  for (std::size_t i = 0; i < trained_.size(); ++i) {
    if (!std::isfinite(norms[i])) return "the gradient of " + trained_[i].name;
  }
  return "the loss";
}

bool UpdateStep::next_is_here() const {
  if (started_.empty() || !started_.front().norms.here()) return false;
  for (const Later& loss : started_.front().losses) {
    if (!loss.here()) return false;
  }
  return true;
}

FinishedUpdate UpdateStep::finish() {
  Started started = std::move(started_.front());
  started_.pop_front();
  FinishedUpdate& update = started.update;
  if (comm_.size() > 1) return update;
  for (Later& loss : started.losses) update.loss += loss.value();
  const std::vector<double>& norms = started.norms.values();
  update.norm = norms.back();
  if (!std::isfinite(update.loss) || !std::isfinite(update.norm)) {
    optimizer_.drop_step();
    update.not_finite = first_not_finite(norms);
  }
  return update;
}

}  // namespace sesame
