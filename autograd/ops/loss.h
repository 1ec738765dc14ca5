// Losses. Shapes must be equal: nothing is broadcast.
#pragma once

#include <cstdint>

#include "autograd/tensor.h"

namespace sesame {

struct CrossEntropyOptions {
  std::int64_t ignore_index = -100;
  double label_smoothing = 0;  // in [0, 1): share of the target spread evenly over all classes
  // The sum over rows is divided by this; 0: by the number of rows that are not ignored. The trainer passes
  // the count of the whole step, so that accumulated parts add up to the big batch.
  double normalizer = 0;
};

// Softmax cross-entropy: logits [N, C], targets [N] int64 -> scalar. Throws for targets outside of [0, C)
// that are not ignore_index (see index_check.h for when), and when every row is ignored and no normalizer is
// given. d logits = (softmax - target distribution) / normalizer.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& options = {});
Tensor cross_entropy_composed(const Tensor& logits, const Tensor& targets,
                              const CrossEntropyOptions& options);

// Mean (or sum / normalizer) of squared differences; prediction and target of one shape -> scalar.
Tensor mse_loss(const Tensor& prediction, const Tensor& target, double normalizer = 0);

// Binary cross-entropy on logits, mean (or sum / normalizer) over all elements; target in [0, 1] -> scalar.
Tensor bce_with_logits(const Tensor& logits, const Tensor& target, double normalizer = 0);
Tensor bce_with_logits_composed(const Tensor& logits, const Tensor& target, double normalizer = 0);

}  // namespace sesame
