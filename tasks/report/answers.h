// Answers marked in their documents, for report.html.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tasks/metrics/squad.h"
#include "tasks/report/report.h"

namespace sesame {

using TextRange = std::pair<std::int64_t, std::int64_t>;  // code points [first, second)

struct AnswerRow {
  std::string question, document;
  std::vector<TextRange> gold;     // none: the document has no answer
  TextRange predicted = {-1, -1};  // likewise
  double score = 0, f1 = 0;        // f1 from 0 to 1
  std::string where;
};

// The most telling mistakes (sure and wrong), then some answers that are right. Documents are cut to what
// lies around the marks.
ReportSection answers_section(std::vector<AnswerRow> rows);

// A table for questions with and without an answer, before and with the threshold.
ReportSection no_answer_section(const std::vector<SquadItem>& items, double threshold);

}  // namespace sesame
