// Linear-chain conditional random field (Lafferty, McCallum & Pereira 2001) over packed sequences.
#pragma once

#include "autograd/segments.h"
#include "autograd/tensor.h"

namespace sesame {

// Negative log-likelihood of tag sequences, summed over the segments and divided by `normalizer` (0: by the
// number of rows in segments). A sequence of n rows scores
//   s(y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_t+1] + end[y_n],
// and its loss is log sum_y' exp s(y') - s(y); an empty one has none. emissions [W, K], tags [W] int64 in [0,
// K), transitions [K, K] (from, to), start and end [K] -> scalar. Segments must not overlap; rows outside of
// them count for nothing. Throws Error for tags outside of [0, K).
Tensor crf_nll(const Tensor& emissions, const Tensor& tags, const Tensor& transitions, const Tensor& start,
               const Tensor& end, const Segments& segments, double normalizer = 0);
Tensor crf_nll_composed(const Tensor& emissions, const Tensor& tags, const Tensor& transitions,
                        const Tensor& start, const Tensor& end, const Segments& segments,
                        double normalizer = 0);

}  // namespace sesame
