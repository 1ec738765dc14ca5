// One row of a data set, and the data set.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tasks/data/table.h"

namespace sesame {

struct Example {
  std::vector<std::string> texts;
  std::string label;                // one of several classes; of texts as targets: the first of them
  std::vector<std::string> labels;  // multi-label; of texts as targets: all of them
  double value = 0;                 // regression
  size_t line = 0;                  // where the row begins in its file
};

// What the label column holds. automatic: multi_label where JSON gives arrays, else one_class.
// text: a text that is to be written, in JSON also an array of several that are right.
enum class LabelKind { automatic, none, one_class, multi_label, number, text };

struct Dataset {
  std::string path;
  LabelKind kind = LabelKind::none;
  std::vector<Example> examples;
  std::vector<Dropped> dropped;
  size_t empty_texts = 0;                           // rows in which at least one text is empty; they are kept
  bool limited = false;                             // --limit cut the file short
  std::string where(const Example& example) const;  // "dev.tsv:17"
};

}  // namespace sesame
