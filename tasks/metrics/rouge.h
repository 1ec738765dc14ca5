// ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) as the package rouge_score computes them without its stemmer: words
// are runs of a-z and 0-9 after lower-casing; F1 per example, then the mean.
#pragma once

#include <string>
#include <vector>

namespace sesame {

// Fractions of one.
struct RougeScores {
  double rouge1 = 0, rouge2 = 0, rougeL = 0;
};

// references[i] are the references of hypotheses[i], at least one; of several the best counts, for each
// score.
RougeScores rouge_scores(const std::vector<std::string>& hypotheses,
                         const std::vector<std::vector<std::string>>& references);

}  // namespace sesame
