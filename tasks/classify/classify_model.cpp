#include "tasks/classify/classify_model.h"

#include "autograd/check.h"
#include "autograd/ops/rows.h"
#include "autograd/ops/segment_ops.h"

namespace sesame {

ClassifyModel::ClassifyModel(std::shared_ptr<Bert> trunk, const ClassifyHeadOptions& head_options)
    : TrunkModel(std::move(trunk)), head(head_options) {
  SESAME_CHECK(!head.needs_pooler() || bert.has_pooler(), "ClassifyHead",
               "--pool cls needs the pooler, which this model lacks");
  if (head.is_standard()) {
    register_module("dropout", head.dropout);
    register_module("classifier", *head.linear);
  } else {
    register_module("head", head);
  }
}

// Whether pooling may come before a learned mix of the layers just as well as after it.
bool ClassifyModel::pools_first() const {
  const bool learned = head.features.options().kind == FeatureKind::Mix;
  switch (head.options().pooling) {
    case Pooling::Cls:
      return true;
    case Pooling::Mean:
      return !learned || head.features.linear();
    case Pooling::Max:
      return !learned;
    case Pooling::Attention:
      return false;
  }
  return false;
}

TrunkRows ClassifyModel::rows(const PackedBatch& batch) const {
  const Segments& segments = batch.segments;
  TrunkRows rows{.states = {},
                 .counts = std::vector<std::int64_t>(static_cast<std::size_t>(segments.count()), 1)};
  const Pooling pooling = head.options().pooling;
  if (pooling == Pooling::Cls && !head.features.needs_hidden()) {
    rows.states = {run_trunk(batch, {.pooled = true, .only_first = true}).pooled};
    return rows;
  }
  rows.states = trunk_states(batch, head.features);
  if (!pools_first()) {
    for (std::int64_t i = 0; i < segments.count(); ++i)
      rows.counts[static_cast<std::size_t>(i)] = segments.length(i);
    return rows;
  }
  for (Tensor& state : rows.states) {
    state = pooling == Pooling::Cls    ? gather_rows(state, segments.first_rows())
            : pooling == Pooling::Mean ? segment_mean(state, segments)
                                       : segment_max(state, segments);
  }
  return rows;
}

Tensor ClassifyModel::read(const TrunkRows& rows, const Segments& examples) const {
  Tensor x = read_features(rows.states, head.features);
  if (head.options().pooling == Pooling::Cls && head.features.options().kind == FeatureKind::Mix) {
    x = bert.pooler->dense.forward(x);  // each row is a [CLS]
  }
  if (!pools_first()) {
    const Segments segments(rows.counts, {.device = x.device()});
    x = head.options().pooling == Pooling::Mean  ? segment_mean(x, segments)
        : head.options().pooling == Pooling::Max ? segment_max(x, segments)
                                                 : head.attention->forward(x, segments);
  }
  return head.forward(x, examples);
}

}  // namespace sesame
