// Parts of the report for tagged words: the sentences in colours with their mistakes, and scores by type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tasks/report/report.h"

namespace sesame {

struct TaggedText {
  std::vector<std::string> words, gold, predicted;  // as many of each
  double telling = 0;                               // probability of the surest wrong tag; 0: all right
  std::size_t line = 0;
};

struct TagScore {
  std::string name;  // a type of entities, or a tag
  std::int64_t gold = 0, predicted = 0, correct = 0;
  double precision = 0, recall = 0, f1 = 0;
};

// The sentences with the most telling mistakes. Words carry the colour of their type; a wrong word shows the
// tag it got and the one it should have. Tags whose type is in no list of `types` ("O") stay plain.
ReportSection tagged_text_section(std::vector<TaggedText> sentences, const std::vector<std::string>& types,
                                  std::size_t count = 30);
ReportSection tag_scores_section(const std::string& title, const std::vector<TagScore>& rows);

}  // namespace sesame
