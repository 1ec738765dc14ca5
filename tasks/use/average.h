// The average of adapters that stand on one base, as a folder of its own.
#pragma once

#include <string>
#include <vector>

namespace sesame {

struct AverageOptions {
  std::vector<std::string> models;  // folders of finished runs of train --tune adapter, two or more
  std::string out;
  bool overwrite = false;
  std::string run_toml;  // the text that repeats it, written as run.toml
};

// Writes a folder whose adapter, LayerNorms and head are the means of those given; everything else is as in
// the first. Returns what it did as one JSON object. Throws Error, before anything is written, unless all are
// adapters of one shape on one base with heads for the same answers.
std::string average_runs(const AverageOptions& options);

}  // namespace sesame
