// Tags by trained models, one or an ensemble, as JSON lines; scores of predicted tags.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tasks/tag/tag_setup.h"
#include "tasks/use/predictor.h"

namespace sesame {

class TagPredictor : public Predictor {
 public:
  // Several directories make an ensemble: probabilities (with a CRF all its scores) are averaged. Throws
  // Error when their tags, further texts or decodings differ.
  explicit TagPredictor(const UseOptions& options);

  // {"tokens": [words], "tags": [...], "scores": [probability of each tag]}, with "logits" [words][tags] when
  // asked for.
  void predict(const std::string& input, const LineSink& sink) override;
  Metrics evaluate(const std::string& data) override;

 private:
  const TagTaskFile& file() const { return models_.front().file; }
  WordReadOptions read_options(const std::string& path, bool need_tags) const;
  // Of each model, for each sentence.
  std::vector<std::vector<SentenceLogits>> logits(const std::vector<WordSentence>& sentences);
  DecodedSentence decode(const std::vector<std::vector<SentenceLogits>>& logits, std::size_t sentence) const;
  void give_lines(const std::vector<WordSentence>& sentences, const LineSink& sink);
  void say_unknown() const;

  UseOptions options_;
  std::vector<TrainedTagger> models_;
  std::unique_ptr<TagDecoder> decoder_;
  std::size_t unknown_words_ = 0;
};

std::unique_ptr<Predictor> load_tag(const UseOptions& options);

// Scores anyone's tags against the data: lines as predict writes them (at least "tags"), or CoNLL columns
// with the predicted tag last. Without data the gold tag is the column before it.
Metrics score_tag(const ScoreOptions& options);

}  // namespace sesame
