// BERT with a classification head: what is trained, stored and predicted with. Parameters are named as they
// are stored: bert.*, then classifier.* (Hugging Face's BertForSequenceClassification) or head.*.
#pragma once

#include <memory>

#include "models/trunk_model.h"
#include "tasks/heads/classify_head.h"

namespace sesame {

class ClassifyModel : public TrunkModel {
 public:
  ClassifyModel(std::shared_ptr<Bert> trunk, const ClassifyHeadOptions& head_options);
  ClassifyModel(const BertConfig& config, const ClassifyHeadOptions& head_options, bool with_pooler)
      : ClassifyModel(std::make_shared<Bert>(config, with_pooler), head_options) {}

  // Logits [n, outputs].
  Tensor forward(const PackedBatch& batch) const { return read(rows(batch), batch.segments); }

  // The same in two steps. First what the trunk gives and nothing learned has touched yet: a frozen trunk's
  // rows can be kept. One row for each example where the pooling allows it, else all its tokens.
  TrunkRows rows(const PackedBatch& batch) const;
  // `examples` names the draws of dropout.
  Tensor read(const TrunkRows& rows, const Segments& examples) const;

  ClassifyHead head;

 private:
  bool pools_first() const;
};

}  // namespace sesame
