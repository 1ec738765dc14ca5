// An op that Sesame does not have: cosine similarity of every row of one matrix with every row of another.
#pragma once

#include <sesame/autograd/tensor.h>

namespace outside {

// y_ij = a_i . b_j / (|a_i| |b_j|), with |x| = sqrt(x . x + eps) so that rows of zeros give 0 and no division
// by zero. a [N, D], b [M, D] of one floating type -> [N, M]. Throws sesame::Error for other shapes.
//   with u_i = a_i / |a_i|, v_j = b_j / |b_j|:   da_i = (sum_j dy_ij v_j - (sum_j dy_ij y_ij) u_i) / |a_i|
// and the same for b with the roles exchanged.
sesame::Tensor cosine_scores(const sesame::Tensor& a, const sesame::Tensor& b, double eps = 1e-12);

}  // namespace outside
