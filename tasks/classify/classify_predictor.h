// Predictions of trained classifiers, one or an ensemble, as JSON lines.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tasks/classify/classify_setup.h"
#include "tasks/use/predictor.h"

namespace sesame {

class ClassifyPredictor : public Predictor {
 public:
  // Several directories make an ensemble: their scores are averaged. Throws Error when their labels differ.
  explicit ClassifyPredictor(const UseOptions& options);

  // {"label": ..., "scores": {...}}, with "logits" when asked for.
  void predict(const std::string& input, const LineSink& sink) override;
  Metrics evaluate(const std::string& data) override;

 private:
  const TrainedClassifier& first() const { return models_.front(); }
  ReadOptions read_options(bool need_label) const;
  // Scores (probabilities, or the number) of each example, averaged over the ensemble, and likewise raw
  // logits.
  ClassifyOutputs outputs(const std::vector<Example>& examples) const;
  void give_lines(const std::vector<Example>& examples, const LineSink& sink) const;

  UseOptions options_;
  std::vector<TrainedClassifier> models_;
};

std::unique_ptr<Predictor> load_classify(const UseOptions& options);

// Reads the lines that predict writes (anyone's, as long as they have "label") and scores them against the
// data. The order of the classes is the preset's where there is one; else it is made from the data and the
// predictions, so that a class that only one of them has counts as wrong and is no error.
Metrics score_classify(const ScoreOptions& options);

}  // namespace sesame
