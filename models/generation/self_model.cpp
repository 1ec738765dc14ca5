#include "models/generation/self_model.h"

#include "autograd/check.h"
#include "autograd/ops/rows.h"
#include "models/generation/cache.h"

namespace sesame {
namespace {

Tensor ends_of(const std::vector<std::int64_t>& lengths, Device device) {
  std::vector<std::int64_t> rows;
  std::int64_t end = 0;
  for (const std::int64_t length : lengths) rows.push_back((end += length) - 1);
  return Tensor::from(rows, device);
}

// Hypotheses that grow behind their sources, one cache row for each token of both.
class SelfState : public DecodingState {
 public:
  SelfState(const SelfModel& model, HypothesisCache cache) : model_(model), cache_(std::move(cache)) {}

  Tensor advance(const std::vector<std::int64_t>& parents, const std::vector<std::int64_t>& tokens) override {
    const NoGradGuard no_grad;
    SESAME_CHECK(parents.size() == tokens.size(), "decode", "{} parents for {} tokens", parents.size(),
                 tokens.size());
    const CacheStep step = cache_.advance(parents);
    std::vector<std::int64_t> positions;
    for (const std::int64_t length : cache_.lengths()) positions.push_back(length - 1);
    const std::vector<std::int64_t> types(tokens.size(), model_.target_type());
    const Device device = step.rows.device();
    const PackedBatch batch = {Tensor::from(tokens, device), Tensor::from(positions, device),
                               Tensor::from(types, device), step.queries};
    return model_.predict(run(batch, step));
  }

  // States [T, H] of new tokens.
  Tensor run(const PackedBatch& batch, const CacheStep& step) {
    const Bert& bert = model_.active_trunk();
    const ModuleList<TransformerLayer>& layers = bert.encoder.layer;
    std::vector<Tensor> hidden = {bert.embeddings.forward(batch)};
    for (std::size_t i = 0; i < layers.size(); ++i) {
      hidden.push_back(layers[i].forward(hidden.back(), step, cache_.layer(i)));
    }
    return model_.features.forward(hidden);
  }

  // Logits of the first tokens [sources, V].
  Tensor read(const PackedBatch& sources) {
    const Tensor states = run(sources, cache_.first(AttentionPattern::Bidirectional));
    return model_.predict(gather_rows(states, ends_of(cache_.lengths(), states.device())));
  }

 private:
  const SelfModel& model_;
  HypothesisCache cache_;
};

}  // namespace

SelfModel::SelfModel(std::shared_ptr<Bert> trunk, std::int64_t end_id, const FeatureOptions& feature_options)
    : SequenceModel(std::move(trunk), feature_options), cls(bert.config()), end_id_(end_id) {
  SESAME_CHECK(0 <= end_id && end_id < bert.config().vocab_size, "generate",
               "token {} lies outside of a vocabulary of {}", end_id, bert.config().vocab_size);
  register_module("cls", cls);
  if (!features.weights.defined()) return;
  head_.add(features);
  register_module("head", head_);
}

std::int64_t SelfModel::max_target(std::int64_t source_length) const {
  return bert.config().max_position_embeddings - source_length;
}

Tensor SelfModel::predict(const Tensor& states) const {
  return cls.predictions.forward(states, bert.embeddings.word_embeddings.weight);
}

Tensor SelfModel::teacher_forced(const std::vector<SequencePair>& examples) const {
  const Device device = bert.embeddings.word_embeddings.weight.device();
  std::vector<TokenSequence> joined;
  std::vector<std::int64_t> lengths, rows;
  SegmentsOptions segments{.device = device};
  std::int64_t begin = 0;
  for (const SequencePair& example : examples) {
    const auto source = static_cast<std::int64_t>(example.source.ids.size());
    const auto target = static_cast<std::int64_t>(example.target.size());
    SESAME_CHECK(source > 0, "generate", "example {} has no tokens", example.source.example);
    SESAME_CHECK(target <= max_target(source), "generate",
                 "example {} has {} tokens and a target of {}, the model has positions for {} in all",
                 example.source.example, source, target, bert.config().max_position_embeddings);
    SESAME_CHECK(
        example.source.type_ids.empty() || example.source.type_ids.size() == example.source.ids.size(),
        "generate", "example {} has {} type ids for {} tokens", example.source.example,
        example.source.type_ids.size(), source);
    TokenSequence sequence = example.source;
    sequence.ids.insert(sequence.ids.end(), example.target.begin(), example.target.end());
    sequence.type_ids.resize(static_cast<std::size_t>(source), 0);
    sequence.type_ids.resize(sequence.ids.size(), target_type());
    for (std::int64_t t = source - 1; t < source + target; ++t) rows.push_back(begin + t);
    begin += source + target;
    lengths.push_back(source + target);
    segments.prefixes.push_back(source);
    segments.examples.push_back(example.source.example);
    joined.push_back(std::move(sequence));
  }
  PackedBatch batch = pack_batch(joined, bert.config().max_position_embeddings, device);
  batch.segments = Segments(lengths, segments);
  const Tensor states = read_features(trunk_states(batch, features, AttentionPattern::Prefix), features);
  return predict(gather_rows(states, Tensor::from(rows, device)));
}

DecodingStart SelfModel::start(const std::vector<TokenSequence>& sources, std::int64_t max_new) const {
  const NoGradGuard no_grad;
  const Tensor& words = bert.embeddings.word_embeddings.weight;
  const PackedBatch batch = pack_batch(sources, bert.config().max_position_embeddings, words.device());
  std::vector<std::int64_t> lengths;
  for (const TokenSequence& source : sources) lengths.push_back(static_cast<std::int64_t>(source.ids.size()));
  HypothesisCache cache(static_cast<std::int64_t>(bert.encoder.layer.size()), bert.width(),
                        batch.segments.max_length() + max_new, lengths, words.options());
  auto state = std::make_unique<SelfState>(*this, std::move(cache));
  const Tensor logits = state->read(batch);
  return {std::move(state), logits};
}

}  // namespace sesame
