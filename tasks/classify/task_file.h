// task.json: what predict and evaluate need to know beside the model itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/data/examples.h"
#include "tasks/data/labels.h"
#include "tasks/heads/classify_head.h"

namespace sesame {

struct ClassifyTaskFile {
  Problem problem = Problem::OneClass;
  std::vector<std::string> labels;  // empty for regression
  bool mlp = false;
  Pooling pooling = Pooling::Cls;
  FeatureOptions features;
  std::int64_t max_length = 128;
  bool plain_special = false;
  std::string preset;
  ColumnSpec columns;
  std::string label_separator = "|";
  std::size_t texts = 1;             // per input
  std::vector<std::string> metrics;  // the official ones

  // Indented JSON.
  std::string to_json() const;
  // Throws Error naming the file and the key; also when `directory` holds no task.json (an unfinished run).
  static ClassifyTaskFile read(const std::string& directory);

  std::int64_t outputs() const {
    return problem == Problem::Regression ? 1 : static_cast<std::int64_t>(labels.size());
  }
};

const char* problem_name(Problem problem);  // "one_class", "multi_label", "regression"

}  // namespace sesame
