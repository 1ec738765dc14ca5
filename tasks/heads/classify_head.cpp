#include "tasks/heads/classify_head.h"

#include "autograd/check.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/segment_ops.h"
#include "autograd/ops/softmax.h"

namespace sesame {

ClassifyHead::ClassifyHead(const ClassifyHeadOptions& options) : dropout(options.dropout), options_(options) {
  SESAME_CHECK(options.outputs >= (options.problem == Problem::OneClass ? 2 : 1), "ClassifyHead",
               "{} outputs are too few", options.outputs);
  if (options.pooling == Pooling::Attention) attention = std::make_unique<AttentionPool>(options.width);
  if (options.mlp) {
    mlp = std::make_unique<Mlp>(std::vector<std::int64_t>{options.width, options.width, options.outputs},
                                MlpOptions{.activation = Activation::Gelu, .dropout = options.dropout});
  } else {
    linear = std::make_unique<Linear>(options.width, options.outputs);
  }
  if (is_standard()) return;
  register_module("dropout", dropout);
  if (attention) register_module("pool", *attention);
  if (mlp) register_module("classifier", *mlp);
  if (linear) register_module("classifier", *linear);
}

Tensor ClassifyHead::pool(const BertOutput& features, const Segments& segments) const {
  switch (options_.pooling) {
    case Pooling::Cls:
      SESAME_CHECK(features.pooled.defined(), "ClassifyHead",
                   "--pool cls needs the pooler, which this model lacks");
      return features.pooled;
    case Pooling::Mean:
      return segment_mean(features.last, segments);
    case Pooling::Max:
      return segment_max(features.last, segments);
    case Pooling::Attention:
      return attention->forward(features.last, segments);
  }
  return {};
}

Tensor ClassifyHead::forward(const BertOutput& features, const Segments& segments) const {
  const Tensor pooled = dropout.forward(pool(features, segments), segments.example_keys());  // [n, H]
  return mlp ? mlp->forward(pooled, segments.example_keys()) : linear->forward(pooled);
}

double ClassifyHead::loss_terms(std::size_t examples) const {
  const auto rows = static_cast<double>(examples);
  return options_.problem == Problem::MultiLabel ? rows * static_cast<double>(options_.outputs) : rows;
}

Tensor ClassifyHead::loss(const Tensor& logits, const ClassifyTargets& targets, double normalizer,
                          double label_smoothing) const {
  if (options_.problem == Problem::OneClass) {
    return cross_entropy(logits, Tensor::from(targets.classes, logits.device()),
                         {.label_smoothing = label_smoothing, .normalizer = normalizer});
  }
  const Tensor wanted = Tensor::from(targets.values, logits.shape(), logits.device()).to(logits.dtype());
  return options_.problem == Problem::MultiLabel ? bce_with_logits(logits, wanted, normalizer)
                                                 : mse_loss(logits, wanted, normalizer);
}

std::vector<float> ClassifyHead::predictions(const Tensor& logits) const {
  NoGradGuard no_grad;
  const Tensor x = logits.detach().to(DType::Float32);
  if (options_.problem == Problem::OneClass) return softmax(x, -1).to_vector<float>();
  if (options_.problem == Problem::MultiLabel) return sigmoid(x).to_vector<float>();
  return x.to_vector<float>();
}

}  // namespace sesame
