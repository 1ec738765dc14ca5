#include "tasks/heads/tag_head.h"

#include "autograd/check.h"
#include "autograd/ops/crf.h"
#include "autograd/ops/loss.h"

namespace sesame {

Crf::Crf(std::int64_t tags)
    : transitions(Tensor::zeros({tags, tags})), start(Tensor::zeros({tags})), end(Tensor::zeros({tags})) {
  register_parameter("transitions", transitions);
  register_parameter("start", start);
  register_parameter("end", end);
}

TagHead::TagHead(const TagHeadOptions& options)
    : features(options.features, options.layers, options.width), dropout(options.dropout), options_(options) {
  SESAME_CHECK(options.outputs >= 2, "TagHead", "{} tags are too few", options.outputs);
  const std::int64_t width = features.width();
  if (options.mlp) {
    mlp = std::make_unique<Mlp>(std::vector<std::int64_t>{width, width, options.outputs},
                                MlpOptions{.activation = Activation::Gelu, .dropout = options.dropout});
  } else {
    linear = std::make_unique<Linear>(width, options.outputs);
  }
  if (!is_standard()) {
    if (features.weights.defined()) register_module("features", features);
    register_module("dropout", dropout);
    if (mlp) register_module("classifier", *mlp);
    if (linear) register_module("classifier", *linear);
  }
  if (options.crf) {
    crf = std::make_unique<Crf>(options.outputs);
    register_module("crf", *crf);
  }
}

Tensor TagHead::forward(const Tensor& words, const Tensor& keys) const {
  const Tensor x = dropout.forward(words, keys);
  return mlp ? mlp->forward(x, keys) : linear->forward(x);
}

Tensor TagHead::loss(const Tensor& logits, const Tensor& targets, const Segments& sentences,
                     double normalizer, double label_smoothing) const {
  if (crf) {
    return crf_nll(logits, targets, crf->transitions, crf->start, crf->end, sentences, normalizer);
  }
  return cross_entropy(logits, targets, {.label_smoothing = label_smoothing, .normalizer = normalizer});
}

}  // namespace sesame
