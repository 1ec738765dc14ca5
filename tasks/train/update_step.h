// One update of the weights: forward and backward passes over its parts, gradient norm, AdamW. On a device
// all of it is only started here, and its numbers are read when the next update is under way.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "autograd/comm/gradient_sum.h"
#include "autograd/later.h"
#include "nn/optim/adamw.h"
#include "tasks/train/sampler.h"
#include "tasks/train/task.h"

namespace sesame {

struct UpdateStepOptions {
  double clip = 1;  // global gradient norm; 0: off
  std::uint64_t seed = 42;
};

// What is known once the numbers have arrived.
struct FinishedUpdate {
  std::int64_t step = 0;  // from 0
  double loss = 0, lr = 0, norm = 0;
  // "the loss" or "the gradient of <parameter>" where that is not finite: it would have spoiled the weights
  // for good, so the update was left out. Else empty.
  std::string not_finite;
};

class UpdateStep {
 public:
  // `trained` are the task's parameters that want a gradient at some time. With more ranks than one, each
  // computes its parts and the gradients are summed; the numbers then go through the host.
  UpdateStep(Task& task, std::vector<NamedParameter> trained, AdamW& optimizer, Comm& comm,
             const UpdateStepOptions& options);

  // Before the first update, and when other parameters want a gradient than before. Returns how gradients are
  // summed over ranks where that was decided now, else "".
  std::string prepare();

  struct Counts {
    std::int64_t examples = 0, tokens = 0;
  };
  // Starts update number `step`; gradients are gone afterwards.
  Counts start(const Update& parts, std::int64_t step, double lr);

  std::size_t under_way() const { return started_.size(); }
  // Whether the numbers of the oldest update under way need no waiting (on the CPU always).
  bool next_is_here() const;
  // The oldest update under way: waits for its numbers.
  FinishedUpdate finish();

 private:
  struct Started {
    FinishedUpdate update;
    std::vector<Later> losses;  // of the parts
    Later norms;                // see GradientNorm
  };
  Counts passes(const Update& parts, std::int64_t step, std::vector<Tensor>& losses);
  void finish_with_ranks(FinishedUpdate& update, const std::vector<Tensor>& losses, Counts& counts);
  std::string first_not_finite(const std::vector<double>& norms) const;

  Task& task_;
  std::vector<NamedParameter> trained_;
  std::vector<NamedParameter> measured_;  // of which this rank takes the gradient's norm
  AdamW& optimizer_;
  Comm& comm_;
  UpdateStepOptions options_;
  std::unique_ptr<DeviceSum> device_sum_;  // where the weights lie on a device
  std::unique_ptr<GradientSum> gradients_;
  std::deque<Started> started_;
};

}  // namespace sesame
