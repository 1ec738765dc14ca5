// BERT with a classification head: what is trained, stored and predicted with. Parameters are named as they
// are stored: bert.*, then classifier.* (Hugging Face's BertForSequenceClassification) or head.*.
#pragma once

#include <string>
#include <vector>

#include "models/bert/bert.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/heads/classify_head.h"

namespace sesame {

class ClassifyModel : public Module {
 public:
  ClassifyModel(const BertConfig& config, const ClassifyHeadOptions& head_options, bool with_pooler);

  // Logits [n, outputs].
  Tensor forward(const PackedBatch& batch) const;

  Bert bert;
  ClassifyHead head;
};

// One input as the model reads it; `example` numbers it in its update.
TokenSequence tokenize_input(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                             const EncodeOptions& options, std::int64_t example);

}  // namespace sesame
