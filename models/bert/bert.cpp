#include "models/bert/bert.h"

#include "autograd/check.h"
#include "models/adapters/adapters.h"

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
  const Tensor embedded = embeddings.forward(batch);  // [T, H]
  if (options.all_hidden) output.hidden.push_back(embedded);
  output.last = options.only_first ? encoder.forward_first(embedded, batch.segments)
                                   : encoder.forward(embedded, batch.segments, options.pattern,
                                                     options.all_hidden ? &output.hidden : nullptr);
  if (!options.all_hidden) output.hidden.push_back(output.last);
  if (!options.pooled || !has_pooler()) return output;
  output.pooled =
      options.only_first ? pooler->dense.forward(output.last) : pooler->forward(output.last, batch.segments);
  return output;
}

}  // namespace sesame
