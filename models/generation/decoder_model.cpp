#include "models/generation/decoder_model.h"

#include <cmath>
#include <numeric>

#include "autograd/check.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "models/generation/cache.h"
#include "nn/init.h"
#include "nn/layers/activation.h"

namespace sesame {
namespace {

DecoderConfig decoder_config(const BertConfig& config, const DecoderModelOptions& options) {
  SESAME_CHECK(options.layers >= 1 && options.layers <= 100, "decoder", "{} layers: expected 1 to 100",
               options.layers);
  for (const std::int64_t id : {options.begin_id, options.end_id}) {
    SESAME_CHECK(0 <= id && id < options.vocab_size, "decoder", "token {} lies outside of a vocabulary of {}",
                 id, options.vocab_size);
  }
  return {.vocab_size = options.vocab_size,
          .positions = config.max_position_embeddings,
          .layers = options.layers,
          .layer = {.width = config.hidden_size,
                    .heads = config.num_attention_heads,
                    .inner_width = config.intermediate_size,
                    .activation = parse_activation(config.hidden_act),
                    .dropout = config.hidden_dropout_prob,
                    .attention_dropout = config.attention_probs_dropout_prob,
                    .layer_norm_eps = config.layer_norm_eps}};
}

// Hypotheses over encoded sources. All hypotheses of a source share its keys and values.
class DecoderState : public DecodingState {
 public:
  DecoderState(const DecoderModel& model, const Tensor& memory, const Segments& sources,
               std::int64_t begin_id, std::int64_t max_new)
      : model_(model),
        sources_(sources),
        source_of_(static_cast<std::size_t>(sources.count())),
        cache_(static_cast<std::int64_t>(model.head.decoder.layer.size()), memory.size(1), max_new + 1,
               std::vector<std::int64_t>(source_of_.size(), 1), memory.options()) {
    std::iota(source_of_.begin(), source_of_.end(), 0);
    const ModuleList<DecoderLayer>& layers = model.head.decoder.layer;
    for (std::size_t i = 0; i < layers.size(); ++i) memory_.push_back(layers[i].keys_values(memory));
    logits_ =
        step(cache_.first(AttentionPattern::Causal), std::vector<std::int64_t>(source_of_.size(), begin_id));
  }

  Tensor advance(const std::vector<std::int64_t>& parents, const std::vector<std::int64_t>& tokens) override {
    const NoGradGuard no_grad;
    SESAME_CHECK(parents.size() == tokens.size(), "decode", "{} parents for {} tokens", parents.size(),
                 tokens.size());
    const CacheStep next = cache_.advance(parents);
    std::vector<std::int64_t> source_of;
    for (const std::int64_t parent : parents)
      source_of.push_back(source_of_[static_cast<std::size_t>(parent)]);
    source_of_ = std::move(source_of);
    return step(next, tokens);
  }

  const Tensor& first_logits() const { return logits_; }

 private:
  // One token for each hypothesis -> [hypotheses, V].
  Tensor step(const CacheStep& step, const std::vector<std::int64_t>& tokens) {
    std::vector<std::int64_t> positions, lengths;
    for (const std::int64_t length : cache_.lengths()) positions.push_back(length - 1);
    SegmentsOptions shared{.device = sources_.device()};
    for (const std::int64_t source : source_of_) {
      shared.begins.push_back(sources_.begin(source));
      lengths.push_back(sources_.length(source));
    }
    const Segments sources(lengths, shared);
    const TransformerDecoder& decoder = model_.head.decoder;
    Tensor x = decoder.embeddings.forward(Tensor::from(tokens, shared.device),
                                          Tensor::from(positions, shared.device), step.queries.token_keys());
    for (std::size_t i = 0; i < decoder.layer.size(); ++i) {
      x = decoder.layer[i].forward(x, step, cache_.layer(i), memory_[i], sources);
    }
    return decoder.predict(x);
  }

  const DecoderModel& model_;
  Segments sources_;                     // of the encoder's states
  std::vector<std::int64_t> source_of_;  // for each hypothesis
  HypothesisCache cache_;
  std::vector<Tensor> memory_;  // keys and values of the sources, for each layer
  Tensor logits_;
};

}  // namespace

DecoderHead::DecoderHead(const DecoderConfig& config, Features& features) : decoder(config) {
  register_module("decoder", decoder);
  if (features.weights.defined()) register_module("features", features);
}

DecoderModel::DecoderModel(std::shared_ptr<Bert> trunk, const DecoderModelOptions& options,
                           const FeatureOptions& feature_options)
    : SequenceModel(std::move(trunk), feature_options),
      head(decoder_config(bert.config(), options), features),
      options_(options) {
  register_module("head", head);
}

std::int64_t DecoderModel::max_target(std::int64_t) const {
  return bert.config().max_position_embeddings - 1;
}

// What the decoder sees: embedded tokens [T, H] (begin token, target) and the encoder's states [S, H].
struct DecoderModel::Inputs {
  Tensor x;
  Segments targets;
  Tensor memory;
  Segments sources;
};

TrunkRows DecoderModel::encode(const std::vector<TokenSequence>& sources) const {
  const Device device = bert.embeddings.word_embeddings.weight.device();
  const PackedBatch packed = pack_batch(sources, bert.config().max_position_embeddings, device);
  TrunkRows rows{.states = trunk_states(packed, features), .counts = {}};
  for (const TokenSequence& source : sources) {
    rows.counts.push_back(static_cast<std::int64_t>(source.ids.size()));
  }
  return rows;
}

DecoderModel::Inputs DecoderModel::inputs(const std::vector<SequencePair>& examples,
                                          const TrunkRows& sources) const {
  const Device device = bert.embeddings.word_embeddings.weight.device();
  std::vector<std::int64_t> ids, positions, lengths;
  SegmentsOptions segments{.device = device};
  for (const SequencePair& example : examples) {
    const auto length = static_cast<std::int64_t>(example.target.size());
    SESAME_CHECK(length <= max_target(0), "decoder",
                 "the target of example {} has {} tokens, there is room for {}", example.source.example,
                 length, max_target(0));
    ids.push_back(options_.begin_id);
    ids.insert(ids.end(), example.target.begin(), example.target.end());
    positions.resize(ids.size());
    std::iota(positions.end() - length - 1, positions.end(), 0);
    lengths.push_back(length + 1);
    segments.examples.push_back(example.source.example);
  }
  const Segments targets(lengths, segments);
  const Tensor x = head.decoder.embeddings.forward(Tensor::from(ids, device), Tensor::from(positions, device),
                                                   targets.token_keys());
  return {x, targets, read_features(sources.states, features), Segments(sources.counts, segments)};
}

Tensor DecoderModel::teacher_forced(const std::vector<SequencePair>& examples) const {
  std::vector<TokenSequence> sources;
  for (const SequencePair& example : examples) sources.push_back(example.source);
  return teacher_forced_from(encode(sources), examples);
}

Tensor DecoderModel::teacher_forced_from(const TrunkRows& sources,
                                         const std::vector<SequencePair>& examples) const {
  const Inputs in = inputs(examples, sources);
  return head.decoder.predict(head.decoder.forward(in.x, in.targets, in.memory, in.sources));
}

DecodingStart DecoderModel::start(const std::vector<TokenSequence>& sources, std::int64_t max_new) const {
  const NoGradGuard no_grad;
  SESAME_CHECK(max_new <= max_target(0), "decoder", "{} new tokens: there is room for {}", max_new,
               max_target(0));
  const TrunkRows rows = encode(sources);
  const Tensor memory = read_features(rows.states, features);  // [S, H]
  const Segments segments(rows.counts, {.device = memory.device()});
  auto state = std::make_unique<DecoderState>(*this, memory, segments, options_.begin_id, max_new);
  const Tensor logits = state->first_logits();
  return {std::move(state), logits};
}

Tensor DecoderModel::cross_attention(const SequencePair& example) const {
  const NoGradGuard no_grad;
  const Inputs in = inputs({example}, encode({example.source}));
  const ModuleList<DecoderLayer>& layers = head.decoder.layer;
  Tensor x = in.x;
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) {
    x = layers[i].forward(x, in.targets, layers[i].keys_values(in.memory), in.sources);
  }
  const DecoderLayer& last = layers[layers.size() - 1];
  x = last.attention.forward(x, in.targets, AttentionPattern::Causal);
  const MultiHeadAttention& cross = last.crossattention.self;
  const std::int64_t heads = cross.heads(), width = x.size(1) / heads;
  const auto by_head = [&](const Tensor& rows) {  // [rows, H] -> [heads, rows, H / heads]
    return rows.reshape({-1, heads, width}).permute({1, 0, 2});
  };
  const Tensor q = by_head(cross.query.forward(x)), k = by_head(cross.key.forward(in.memory));
  const Tensor scores =
      matmul(q.contiguous(), k.transpose(1, 2)) * (1 / std::sqrt(static_cast<double>(width)));
  return mean(softmax(scores), {0});
}

void init_decoder(DecoderModel& model, std::uint64_t seed) {
  const double std = model.bert.config().initializer_range;
  for (const NamedParameter& parameter : model.parameters()) {
    if (!parameter.name.starts_with("head.decoder.")) continue;
    const std::uint64_t key = init_key(seed, parameter.name);
    Tensor tensor = parameter.tensor;
    const NoGradGuard no_grad;
    if (tensor.dim() < 2) {
      tensor.fill_(parameter.name.ends_with("LayerNorm.weight") ? 1 : 0);
    } else if (parameter.name.find("_embeddings.") != std::string::npos) {
      init_normal(tensor, 0, std, key);
    } else {
      init_xavier_uniform(tensor, key);
    }
  }
}

void copy_encoder_embeddings(DecoderModel& model) {
  const NoGradGuard no_grad;
  const BertEmbeddings& from = model.bert.embeddings;
  DecoderEmbeddings& to = model.head.decoder.embeddings;
  SESAME_CHECK(from.word_embeddings.weight.shape() == to.word_embeddings.weight.shape(), "decoder",
               "the encoder's {} words cannot start a decoder with {}", from.word_embeddings.weight.size(0),
               to.word_embeddings.weight.size(0));
  to.word_embeddings.weight.copy_(from.word_embeddings.weight);
  to.position_embeddings.weight.copy_(from.position_embeddings.weight);
  to.layer_norm.weight.copy_(from.layer_norm.weight);
  to.layer_norm.bias.copy_(from.layer_norm.bias);
}

}  // namespace sesame
