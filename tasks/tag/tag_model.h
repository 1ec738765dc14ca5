// BERT with a head for words: what is trained, stored and predicted with. Parameters are named as they are
// stored: bert.*, then classifier.* (Hugging Face's BertForTokenClassification, which has no pooler) or
// head.*; a CRF is head.crf.*.
#pragma once

#include <memory>

#include "models/trunk_model.h"
#include "tasks/heads/tag_head.h"
#include "tasks/tag/word_input.h"

namespace sesame {

class TagModel : public TrunkModel {
 public:
  TagModel(std::shared_ptr<Bert> trunk, const TagHeadOptions& head_options);
  TagModel(const BertConfig& config, const TagHeadOptions& head_options)
      : TagModel(std::make_shared<Bert>(config, false), head_options) {}

  // Logits [W, K] of the words of a batch.
  Tensor forward(const WordBatch& batch) const { return read(rows(batch), batch.sentences); }

  // The same in two steps: the rows of the words, which can be kept while the trunk is frozen, and the head.
  TrunkRows rows(const WordBatch& batch) const;
  Tensor read(const TrunkRows& rows, const Segments& sentences) const;

  TagHead head;
};

}  // namespace sesame
