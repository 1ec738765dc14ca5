// task.json: what predict and evaluate need to know beside the model itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/tag/tag_decoder.h"
#include "tasks/tag/word_reader.h"

namespace sesame {

struct TagTaskFile {
  std::vector<std::string> labels;
  bool mlp = false;
  FeatureOptions features;
  Decode decode = Decode::Free;
  Scheme scheme = Scheme::None;
  std::int64_t max_length = 128, stride = 32;
  bool plain_special = false;
  std::string preset;
  WordFormat data_format = WordFormat::conll;  // of the training data, whose columns these are
  ColumnSpec columns;
  std::size_t contexts = 0;          // further texts of each sentence
  std::vector<std::string> metrics;  // the preset's own

  // Whether the head is that of BertForTokenClassification.
  bool standard() const { return !mlp && features.kind == FeatureKind::Last; }
  bool entities() const { return scheme != Scheme::None; }
  TagHeadOptions head_options(const BertConfig& config) const;
  WordInputOptions input_options() const;

  // Indented JSON.
  std::string to_json() const;
  // Throws Error naming the file and the key; also when `directory` holds no task.json (an unfinished run).
  static TagTaskFile read(const std::string& directory);
};

}  // namespace sesame
