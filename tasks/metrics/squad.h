// The official scores of SQuAD 1.1 (evaluate-v1.1.py) and 2.0 (evaluate-v2.0.py), in percent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tasks/metrics/metrics.h"

namespace sesame {

// Lower case, without ASCII punctuation, articles and surplus white space.
std::string normalize_answer(const std::string& text);

// Two rules differ: where nothing is left of a normalised answer its F1 is 0 in 1.1, in 2.0 that of equality;
// and only 2.0 has questions without an answer.
enum class SquadVersion { v1, v2 };

double exact_match(const std::string& predicted, const std::string& gold);  // 0 or 1
double answer_f1(const std::string& predicted, const std::string& gold,
                 SquadVersion version);  // of words, 0 to 1

// A question with the answers that people gave; none: it has no answer in its document.
struct SquadItem {
  std::vector<std::string> gold;
  std::optional<std::string> predicted;  // "": no answer; nothing: the question is missing, which counts as 0
  double no_answer = 0;                  // the higher, the surer that there is none (thresholds only)
};

// What one question gets: the best over its gold answers.
struct SquadScore {
  double exact = 0, f1 = 0;
};
SquadScore score_item(const SquadItem& item, SquadVersion version);

// "No answer" where no_answer is above it.
struct Threshold {
  double score = 0;  // mean over all questions, in percent
  double value = 0;
};
// The threshold with the best mean of `scores` (those of the predicted answers), as in the official search;
// where no answer at all is the best of all, `value` lies below every no_answer.
Threshold best_threshold(const std::vector<SquadItem>& items, const std::vector<double>& scores);

// exact_match, f1; for 2.0 also HasAns_exact, HasAns_f1, NoAns_exact, NoAns_f1 of the questions with and
// without answers, as far as there are any. Without `threshold` the predictions stand as they are; with it,
// those above it count as "no answer", and best_exact, best_exact_thresh, best_f1 and best_f1_thresh are
// added. No items: no metrics.
Metrics squad_metrics(const std::vector<SquadItem>& items, SquadVersion version,
                      std::optional<double> threshold = std::nullopt);

}  // namespace sesame
