// Known data sets: how their published files look, the order of their labels, the metric they are judged by.
#pragma once

#include <string>
#include <vector>

#include "tasks/data/examples.h"

namespace sesame {

struct Preset {
  std::string name;
  ReadOptions read;
  std::vector<std::string> labels;   // order of the classes; empty for regression
  std::vector<std::string> metrics;  // the official ones, the one that picks the best checkpoint first
  std::string task = "classify";
  std::string format = {};  // of tag and extract: "conll", "conllu", "squad"
};

// sst2 cola mrpc stsb qqp mnli qnli rte wnli snli imdb conll2003 wnut17 ud-upos squad squad2; Error lists
// them.
const Preset& find_preset(const std::string& name);
const std::vector<Preset>& presets();

}  // namespace sesame
