// Answers of trained models as JSON lines, and their scores; scores of anyone's answers.
#pragma once

#include <memory>
#include <vector>

#include "tasks/extract/extract_setup.h"
#include "tasks/use/predictor.h"

namespace sesame {

class ExtractPredictor : public Predictor {
 public:
  // Several directories make an ensemble: their logits and thresholds are averaged. Throws Error when they
  // cut texts differently.
  explicit ExtractPredictor(const UseOptions& options);

  // Lines {"id" where the input has one, "answer", "start", "end", "score"}; offsets in code points; no
  // answer: "", -1, -1. Models that know "no answer" add "no_answer", by how much it is ahead of the best
  // span's score. On request "n_best", a list of answers, and "logits", {"start", "end"} with a list for each
  // window.
  void predict(const std::string& input, const LineSink& sink) override;
  Metrics evaluate(const std::string& data) override;

 private:
  const TrainedExtractor& first() const { return models_.front(); }
  QuestionReadOptions read_options(bool need_answers) const;
  std::vector<Answered> answers(std::span<const QuestionExample> examples, bool keep_logits) const;
  void give_lines(const std::vector<QuestionExample>& examples, const LineSink& sink) const;

  UseOptions options_;
  std::vector<TrainedExtractor> models_;
  AnswerOptions answer_options_;
  double null_threshold_ = 0;  // mean
};

std::unique_ptr<Predictor> load_extract(const UseOptions& options);

// Scores SQuAD's prediction JSON {id: answer}, or lines with "answer" as predict writes them (by their "id"
// where all have one, else in order). Questions without a prediction count as wrong, and are counted on
// stderr.
Metrics score_extract(const ScoreOptions& options);

}  // namespace sesame
