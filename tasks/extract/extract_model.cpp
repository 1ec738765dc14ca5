#include "tasks/extract/extract_model.h"

#include "tasks/ranks/batch_share.h"

namespace sesame {

ExtractModel::ExtractModel(std::shared_ptr<Bert> trunk, bool mlp, const FeatureOptions& features)
    : TrunkModel(std::move(trunk)),
      head({.width = bert.width(),
            .mlp = mlp,
            .dropout = bert.config().hidden_dropout_prob,
            .features = features,
            .layers = bert.config().num_hidden_layers}) {
  if (head.is_standard()) {
    register_module("qa_outputs", *head.linear);
  } else {
    register_module("head", head);
  }
}

TrunkRows ExtractModel::rows(const PackedBatch& batch) const {
  TrunkRows rows{.states = trunk_states(batch, head.features), .counts = {}};
  for (std::int64_t i = 0; i < batch.segments.count(); ++i) rows.counts.push_back(batch.segments.length(i));
  return rows;
}

Tensor ExtractModel::read(const TrunkRows& rows, const Segments& windows) const {
  return head.forward(read_features(rows.states, head.features), windows);
}

std::vector<SpanLogits> span_logits(const ExtractModel& model, std::span<const Window> windows,
                                    std::int64_t batch_tokens, Device device, FeatureCache* cache,
                                    std::size_t first_window) {
  NoGradGuard no_grad;
  const FeatureCache::Compute compute = [&](std::span<const std::int64_t> some) {
    std::vector<TokenSequence> batch;
    for (const std::int64_t name : some) {
      batch.push_back(window_sequence(windows[FeatureCache::dev_index(name) - first_window], 0, 0));
    }
    return model.rows(pack_batch(batch, model.bert.config().max_position_embeddings, device));
  };
  BatchShare share;
  for (std::size_t first = 0; first < windows.size();) {
    std::vector<std::int64_t> names, lengths;
    std::int64_t tokens = 0;
    std::size_t next = first;
    while (next < windows.size() && (next == first || tokens + windows[next].length() <= batch_tokens)) {
      names.push_back(FeatureCache::dev_name(first_window + next));
      lengths.push_back(windows[next++].length());
      tokens += lengths.back();
    }
    first = next;
    if (!share.takes_next()) continue;
    const TrunkRows rows = cache != nullptr ? cache->rows(names, compute) : compute(names);
    const Tensor scores = model.read(rows, Segments(lengths, {.device = device}));
    const std::vector<float> logits = scores.to(DType::Float32).to_vector<float>();
    share.give({logits.begin(), logits.end()});
  }
  std::vector<SpanLogits> all;
  const std::vector<double> logits = share.all_joined();
  auto row = logits.begin();
  for (const Window& window : windows) {
    SpanLogits& one = all.emplace_back();
    for (std::int64_t t = 0; t < window.length(); ++t) {
      one.start.push_back(static_cast<float>(*row++));
      one.end.push_back(static_cast<float>(*row++));
    }
  }
  return all;
}

}  // namespace sesame
