// Rows with a text to be written: tables with a target column, or parallel text in two files.
#pragma once

#include <string>
#include <vector>

#include "tasks/data/examples.h"

namespace sesame {

// "source.txt:target.txt" (either may be .gz) is parallel text: line n of the one belongs to line n of the
// other, tabs separate the texts of a source. Anything else is a table with texts and `target`. Each example
// has its first target in `label` and all of them in `labels`. Throws Error with file and line for an empty
// target, and with both counts for files of unequal length.
Dataset read_sequences(const std::string& path, ReadOptions options);

}  // namespace sesame
