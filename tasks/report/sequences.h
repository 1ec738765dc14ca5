// What a model wrote, for report.html: source, reference and output side by side, and where the output
// looked.
#pragma once

#include <string>
#include <vector>

#include "tasks/report/report.h"

namespace sesame {

struct WrittenExample {
  std::vector<std::string> texts;
  std::vector<std::string> references;  // at least one; the first is shown
  std::string output;
  size_t line = 0;
};

// The first ones as they come and those that differ most, `count` at most, with the words marked that only
// the reference or only the output has.
ReportSection written_section(const std::vector<WrittenExample>& examples, size_t count);

// Rows of weights over the source's tokens, one for each written token: [written.size() * source.size()].
struct AttentionMap {
  std::vector<std::string> written, source;
  std::vector<float> weights;
};
inline constexpr size_t kLargestMap = 60;  // tokens on both sides that can still be read

ReportSection attention_section(const std::vector<AttentionMap>& maps);

}  // namespace sesame
