// What the trainer needs to know of a task; each of the output kinds implements it (tasks/classify/).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "autograd/tensor.h"
#include "nn/module.h"
#include "tasks/metrics/metrics.h"

namespace sesame {

struct LossPart {
  Tensor loss;              // scalar: summed over the part, divided by the normalizer of the whole update
  std::int64_t tokens = 0;  // real ones that went through the model
};

class Task {
 public:
  virtual ~Task() = default;

  // Its parameters carry the names they have in files.
  virtual Module& model() = 0;

  virtual std::int64_t train_size() const = 0;
  // Tokens of training example i after truncation.
  virtual std::int64_t train_length(std::int64_t i) const = 0;
  // How many terms the loss of these examples is a mean of. Summed over all parts of an update it gives the
  // normalizer, so that accumulated parts add up to the large batch.
  virtual double loss_terms(std::span<const std::int64_t> examples) const = 0;
  // Loss of one part. `first` is the number of its first example in the whole update (dropout counters).
  virtual LossPart loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) = 0;

  // Scores on the development set, in evaluation mode; empty without one. Remembers what the report shows.
  virtual Metrics evaluate() = 0;
  // Whether there is a development set, and the names of the scores on it.
  virtual bool has_dev() const = 0;
  virtual std::vector<std::string> metric_names() const = 0;
  // The score that picks the best checkpoint unless --metric names another.
  virtual std::string main_metric() const = 0;
};

}  // namespace sesame
