// What the trainer and the run's folder need to know of a task; each of the output kinds implements it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "autograd/tensor.h"
#include "nn/module.h"
#include "tasks/metrics/metrics.h"
#include "tasks/report/report.h"

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

  // Examples of the development set (0: there is none), and the names of the scores on it.
  virtual std::int64_t dev_size() const { return 0; }
  virtual std::vector<std::string> metric_names() const { return {}; }
  // Scores on the development set, in evaluation mode; empty without one. Remembers what the report shows.
  virtual Metrics evaluate() { return {}; }
  // The score that picks the best checkpoint unless --metric names another.
  virtual std::string main_metric() const { return ""; }

  // What the folder of a run of tools/train needs beside; a task that only meets train() can do without.
  // Training example i for --dry-run: one JSON object with its line, its tokens and its target.
  virtual std::string show(std::int64_t /*i*/) const { return "{}"; }
  // Shares of the layers, embeddings first, where the model learns a mix of them.
  virtual std::vector<double> layer_weights() const { return {}; }
  // Data summaries and what the last evaluation showed.
  virtual void describe(Report& /*report*/) const {}
  // Content of task.json: what predict needs beside the model.
  virtual std::string task_json() const { return "{}"; }
  // Files beside model, tokenizer and task.json, if the task has any.
  virtual void write_files(const std::string& /*out*/) const {}
};

}  // namespace sesame
