#include "models/bert/bert.h"

#include "autograd/check.h"
#include "autograd/ops/rows.h"
#include "models/adapters/adapters.h"
#include "models/bert/recorded.h"

namespace sesame {

Bert::Bert(const BertConfig& config, bool with_pooler)
    : embeddings(config), encoder(config), config_(config) {
  register_module("embeddings", embeddings);
  register_module("encoder", encoder);
  if (with_pooler) {
    pooler = std::make_unique<BertPooler>(config.hidden_size);
    register_module("pooler", *pooler);
  }
}

Bert::~Bert() = default;

BertOutput Bert::forward(const PackedBatch& batch, const BertForward& options) const {
  const Shape rows = {batch.segments.end()};
  SESAME_CHECK(
      batch.ids.shape() == rows && batch.position_ids.shape() == rows && batch.type_ids.shape() == rows,
      "bert", "segments cover {} rows; ids are {}, position ids {}, type ids {}: must be as many", rows[0],
      batch.ids.shape(), batch.position_ids.shape(), batch.type_ids.shape());
  SESAME_CHECK(
      !options.only_first || (!options.all_hidden && options.pattern == AttentionPattern::Bidirectional),
      "bert",
      "only_first leaves the other rows out: it goes with the last layer and the bidirectional pattern");
  BertOutput output;
  if (RecordedBert::worth_it(*this, batch)) {
    if (recorded_ == nullptr || !(recorded_->device() == batch.ids.device())) {
      recorded_ = std::make_unique<RecordedBert>(batch.ids.device());
    }
    if (recorded_->free()) output.hidden = recorded_->states(*this, batch, options);
  }
  if (output.hidden.empty()) {
    output.hidden = states(batch, options);
  } else if (options.only_first) {
    output.hidden = {gather_rows(output.hidden[0], batch.segments.first_rows())};
  }
  output.last = output.hidden.back();
  if (!options.pooled || !has_pooler()) return output;
  output.pooled =
      options.only_first ? pooler->dense.forward(output.last) : pooler->forward(output.last, batch.segments);
  return output;
}

std::vector<Tensor> Bert::states(const PackedBatch& batch, const BertForward& options) const {
  const Tensor embedded = embeddings.forward(batch);  // [T, H]
  if (options.only_first) return {encoder.forward_first(embedded, batch.segments)};
  std::vector<Tensor> hidden;
  if (!options.all_hidden) return {encoder.forward(embedded, batch.segments, options.pattern, nullptr)};
  hidden.push_back(embedded);
  encoder.forward(embedded, batch.segments, options.pattern, &hidden);
  return hidden;
}

}  // namespace sesame
