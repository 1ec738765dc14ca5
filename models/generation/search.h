// The search for one source, told the likeliest next tokens of its hypotheses step by step. decode() runs the
// searches of a batch side by side.
#pragma once

#include <cstdint>
#include <vector>

#include "models/generation/decode.h"

namespace sesame {

struct Candidate {
  std::int64_t token = 0;
  double log_probability = 0;
};

// A hypothesis that goes on. `row`: of the logits behind its last token.
struct Running {
  std::vector<std::int64_t> tokens;
  double log_probability = 0;
  std::int64_t row = 0;
};

// Tokens that would repeat an n-gram of `tokens`; none for n == 0.
std::vector<std::int64_t> repeating_tokens(const std::vector<std::int64_t>& tokens, std::int64_t n);

class SourceSearch {
 public:
  // `row`: of the logits of the first token. `example`: names the draws of sampling. At most max_new tokens.
  SourceSearch(const DecodingOptions& options, std::int64_t row, std::int64_t example, std::int64_t max_new,
               std::int64_t end_id);

  bool done() const { return running_.empty(); }
  const std::vector<Running>& running() const { return running_; }
  // One step: candidates[i] are next tokens of running hypothesis i, for a beam likeliest first. Afterwards
  // each running hypothesis has one token more, and its `row` is still that of its parent.
  void expand(const std::vector<std::vector<Candidate>>& candidates);
  void set_row(std::size_t i, std::int64_t row) { running_[i].row = row; }
  // What was found, the best first.
  std::vector<Hypothesis> results() const;

 private:
  void expand_beam(const std::vector<std::vector<Candidate>>& candidates);
  void expand_samples(const std::vector<std::vector<Candidate>>& candidates);
  Candidate draw(const std::vector<Candidate>& candidates, std::size_t sample) const;
  void finish(const Running& hypothesis, const Candidate* end);
  double score(double log_probability, std::size_t length) const;

  DecodingOptions options_;
  std::int64_t example_, end_id_;
  std::size_t max_new_, step_ = 0;
  std::vector<Running> running_;
  std::vector<std::size_t> sample_;  // number of each running hypothesis under sampling
  std::vector<Hypothesis> finished_;
};

}  // namespace sesame
