#include "tasks/tag/tag_model.h"

#include "autograd/ops/rows.h"

namespace sesame {

TagModel::TagModel(std::shared_ptr<Bert> trunk, const TagHeadOptions& head_options)
    : TrunkModel(std::move(trunk)), head(head_options) {
  if (head.is_standard()) {
    register_module("dropout", head.dropout);
    register_module("classifier", *head.linear);
  }
  if (!head.is_standard() || head.crf) register_module("head", head);
}

TrunkRows TagModel::rows(const WordBatch& batch) const {
  TrunkRows rows{.states = trunk_states(batch.tokens, head.features), .counts = {}};
  for (Tensor& state : rows.states) state = gather_rows(state, batch.rows);
  for (std::int64_t i = 0; i < batch.sentences.count(); ++i) {
    rows.counts.push_back(batch.sentences.length(i));
  }
  return rows;
}

Tensor TagModel::read(const TrunkRows& rows, const Segments& sentences) const {
  return head.forward(read_features(rows.states, head.features), sentences.token_keys());
}

}  // namespace sesame
