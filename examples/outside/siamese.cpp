#include "siamese.h"

#include <sesame/autograd/ops.h>

#include <numeric>

namespace outside {

using namespace sesame;

SiameseHead::SiameseHead() : scale(Tensor::full({1}, 10)), threshold(Tensor::full({1}, 0.5)) {
  register_parameter("scale", scale);
  register_parameter("threshold", threshold);
}

Tensor SiameseHead::forward(const Tensor& states, const Segments& segments) const {
  const Tensor means = segment_mean(states, segments);  // [2n, H]
  std::vector<std::int64_t> even, odd;
  for (std::int64_t i = 0; i < segments.count(); ++i) (i % 2 == 0 ? even : odd).push_back(i);
  const Tensor u = gather_rows(means, Tensor::from(even)), v = gather_rows(means, Tensor::from(odd));
  const auto dot = [](const Tensor& a, const Tensor& b) { return sum(a * b, {1}, true); };  // [n, 1]
  return (dot(u, v) / sqrt(dot(u, u) * dot(v, v)) - threshold) * scale;
}

SiameseModel::SiameseModel(const BertConfig& config) : bert(config, false) {
  register_module("bert", bert);
  register_module("head", head);
}

Tensor SiameseModel::forward(const PackedBatch& batch) const {
  return head.forward(bert.forward(batch).last, batch.segments);
}

SiameseTask::SiameseTask(SiameseModel& model, Tokenizer tokenizer, Dataset train, Dataset dev)
    : model_(model), tokenizer_(std::move(tokenizer)), train_(std::move(train)), dev_(std::move(dev)) {}

PackedBatch SiameseTask::pack(const Dataset& data, std::span<const std::int64_t> examples,
                              std::int64_t first) const {
  std::vector<TokenSequence> sequences;
  for (std::int64_t i : examples) {
    for (const std::string& text : data.examples.at(static_cast<std::size_t>(i)).texts) {
      const Encoding tokens = tokenizer_.encode(text, {.max_length = 128});
      // The number of the sequence in the whole update names its dropout.
      const std::int64_t number = 2 * first + static_cast<std::int64_t>(sequences.size());
      sequences.push_back({.ids = {tokens.ids.begin(), tokens.ids.end()}, .type_ids = {}, .example = number});
    }
  }
  return pack_batch(sequences, model_.bert.config().max_position_embeddings);
}

std::int64_t SiameseTask::train_length(std::int64_t i) const {
  return pack(train_, std::span(&i, 1), 0).segments.total();
}

LossPart SiameseTask::loss(std::span<const std::int64_t> examples, std::int64_t first, double normalizer) {
  const PackedBatch batch = pack(train_, examples, first);
  std::vector<float> same;
  for (std::int64_t i : examples) {
    same.push_back(train_.examples[static_cast<std::size_t>(i)].label == "same" ? 1.0f : 0.0f);
  }
  const Tensor target = Tensor::from(same, {static_cast<std::int64_t>(same.size()), 1});
  return {bce_with_logits(model_.forward(batch), target, normalizer), batch.segments.total()};
}

Metrics SiameseTask::evaluate() {
  const NoGradGuard no_grad;
  std::vector<std::int64_t> all(dev_.examples.size());
  std::iota(all.begin(), all.end(), 0);
  const std::vector<float> logits = model_.forward(pack(dev_, all, 0)).to_vector<float>();
  double right = 0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    right += (logits[i] > 0) == (dev_.examples[i].label == "same");
  Metrics metrics;
  metrics.set("accuracy", right / static_cast<double>(logits.size()));
  return metrics;
}

}  // namespace outside
