// Reductions over the sequences of a packed batch: x [T, C] with Segments of n sequences -> [n, C].
#pragma once

#include "autograd/segments.h"
#include "autograd/tensor.h"

namespace sesame {

// Empty segments give 0 in all three; the gradient of max goes to the first maximum.
Tensor segment_sum(const Tensor& x, const Segments& segments);
Tensor segment_mean(const Tensor& x, const Segments& segments);
Tensor segment_max(const Tensor& x, const Segments& segments);
// Softmax over the rows of each segment, for each column by itself: [T, C] -> [T, C]; 0 outside of segments.
Tensor segment_softmax(const Tensor& x, const Segments& segments);
// Attention pooling: sum_t softmax_t(scores) x_t. x [T, C], scores [T, 1] -> [n, C]. Composed of the ops above.
Tensor segment_attention_pool(const Tensor& x, const Tensor& scores, const Segments& segments);

}  // namespace sesame
