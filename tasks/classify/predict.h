// Predictions of trained classifiers, one or an ensemble, as JSON lines.
#pragma once

#include <string>
#include <vector>

#include "tasks/classify/classify_setup.h"

namespace sesame {

class ClassifyPredictor {
 public:
  // Several directories make an ensemble: their scores are averaged. Throws Error when their labels differ.
  ClassifyPredictor(const std::vector<std::string>& directories, Device device, std::int64_t batch_tokens,
                    bool verbose = false);

  const TrainedClassifier& first() const { return models_.front(); }
  // Scores (probabilities, or the number) of each example, averaged over the ensemble, and likewise raw
  // logits.
  ClassifyOutputs predict(const std::vector<Example>& examples) const;
  // One line per example: {"label": ..., "scores": {...}}, with "logits" when asked for.
  std::vector<std::string> json_lines(const std::vector<Example>& examples, bool logits) const;

 private:
  std::vector<TrainedClassifier> models_;
};

// Reads the lines that json_lines writes (anyone's, as long as they have "label") and scores them against the data.
// `labels` is the order of the classes where it is known (a preset's), else empty: then it is made from the data and
// the predictions, so that a class that only one of them has counts as wrong and is no error.
Metrics score_prediction_file(const std::string& path, const Dataset& data, const std::vector<std::string>& labels);

}  // namespace sesame
