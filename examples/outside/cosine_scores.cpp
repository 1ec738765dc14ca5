#include "cosine_scores.h"

#include <sesame/autograd/check.h>
#include <sesame/autograd/node.h>
#include <sesame/autograd/ops.h>

namespace outside {

using sesame::Backward;
using sesame::Tensor;

namespace {

// 1 / |x_i| for each row: [N, D] -> [N, 1].
Tensor inverse_norms(const Tensor& x, double eps) {
  return sesame::power(sesame::sum(sesame::square(x), {1}, true) + eps, -0.5);
}

// Gradient of one side: (dy v - rowsum(dy y) u) / |a|, see the header.
Tensor side_gradient(const Tensor& dy, const Tensor& y, const Tensor& u, const Tensor& v,
                     const Tensor& inverse) {
  const Tensor along = sesame::sum(dy * y, {1}, true);  // [N, 1]
  return (sesame::matmul(dy, v) - along * u) * inverse;
}

}  // namespace

Tensor cosine_scores(const Tensor& a, const Tensor& b, double eps) {
  SESAME_CHECK(a.defined() && b.defined() && a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(1),
               "cosine_scores", "wants [N, D] and [M, D], got {} and {}",
               a.defined() ? a.shape() : sesame::Shape{}, b.defined() ? b.shape() : sesame::Shape{});
  Tensor inverse_a, inverse_b, u, v, y;
  {
    // The pieces of the forward pass record nothing: the gradient below is written by hand.
    const sesame::NoGradGuard no_grad;
    inverse_a = inverse_norms(a, eps);
    inverse_b = inverse_norms(b, eps);
    u = a * inverse_a;
    v = b * inverse_b;
    y = sesame::matmul(u, v.transpose(0, 1));
  }
  // What backward reads is handed to record(), which watches it for in-place changes; a lambda captures no
  // tensors.
  return sesame::record("cosine_scores", y, {a, b}, {u, v, inverse_a, inverse_b, y}, [](Backward& back) {
    const Tensor &u = back.saved(0), &v = back.saved(1), &y = back.saved(4);
    if (back.wanted(0)) back.give(0, side_gradient(back.grad(), y, u, v, back.saved(2)));
    if (back.wanted(1)) {
      back.give(1, side_gradient(back.grad().transpose(0, 1), y.transpose(0, 1), v, u, back.saved(3)));
    }
  });
}

}  // namespace outside
