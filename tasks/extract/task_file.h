// task.json: what predict and evaluate need to know beside the model itself.
#pragma once

#include <string>

#include "models/features.h"
#include "tasks/data/table.h"
#include "tasks/extract/question_reader.h"
#include "tasks/extract/windows.h"

namespace sesame {

struct ExtractTaskFile {
  bool mlp = false;
  FeatureOptions features;
  WindowOptions windows;         // with the fixed question of documents alone
  std::int64_t max_answer = 30;  // tokens
  std::size_t texts = 2;         // 1: documents alone
  bool null_answers = false;     // some questions have no answer in their document
  double null_threshold = 0;     // no answer where null score minus best score is above it
  std::string preset;
  ColumnSpec columns;

  // Whether the head is that of BertForQuestionAnswering.
  bool standard() const { return !mlp && features.kind == FeatureKind::Last; }

  // Indented JSON.
  std::string to_json() const;
  // Throws Error naming the file and the key; also when `directory` holds no task.json (an unfinished run).
  static ExtractTaskFile read(const std::string& directory);
};

}  // namespace sesame
