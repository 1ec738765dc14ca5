#include "tasks/heads/classify_head.h"

#include "autograd/check.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/softmax.h"

namespace sesame {

ClassifyHead::ClassifyHead(const ClassifyHeadOptions& options)
    : features(options.features, options.layers, options.width), dropout(options.dropout), options_(options) {
  SESAME_CHECK(options.outputs >= (options.problem == Problem::OneClass ? 2 : 1), "ClassifyHead",
               "{} outputs are too few", options.outputs);
  const std::int64_t width = features.width();
  if (options.pooling == Pooling::Attention) attention = std::make_unique<AttentionPool>(width);
  if (options.mlp) {
    mlp = std::make_unique<Mlp>(std::vector<std::int64_t>{width, width, options.outputs},
                                MlpOptions{.activation = Activation::Gelu, .dropout = options.dropout});
  } else {
    linear = std::make_unique<Linear>(width, options.outputs);
  }
  if (is_standard()) return;
  if (features.weights.defined()) register_module("features", features);
  register_module("dropout", dropout);
  if (attention) register_module("pool", *attention);
  if (mlp) register_module("classifier", *mlp);
  if (linear) register_module("classifier", *linear);
}

Tensor ClassifyHead::forward(const Tensor& pooled, const Segments& segments) const {
  const Tensor x = dropout.forward(pooled, segments.example_keys());
  return mlp ? mlp->forward(x, segments.example_keys()) : linear->forward(x);
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
