#include "autograd/ops/softmax.h"

#include "autograd/ops/op_support.h"

namespace sesame {
namespace {

// Kernels work on the last axis; another one is moved there and back.
Tensor axis_last(const Tensor& x, int axis) { return x.detach().transpose(axis, -1).contiguous(); }

Tensor softmax_along(const char* op, bool log, const Tensor& x, int axis) {
  check_floating(op, "x", x);
  const int a = x.shape().axis(axis);
  const Tensor moved = axis_last(x, a);
  const Tensor y = empty_like(moved);
  kernel(op, x, &KernelTable::softmax)(log, y.view(), moved.view());
  return record(op, y.transpose(a, -1), {x}, {y}, [op, log, a](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor dy = axis_last(b.grad(), a);
    const Tensor dx = empty_like(dy);
    kernel(op, dx, &KernelTable::softmax_backward)(log, dx.view(), dy.view(), b.saved(0).view());
    b.give(0, dx.transpose(a, -1));
  });
}

}  // namespace

// y = exp(x - max) / sum; dx = y (dy - sum(dy y)).
Tensor softmax(const Tensor& x, int axis) { return softmax_along("softmax", false, x, axis); }

// y = x - logsumexp(x); dx = dy - exp(y) sum(dy).
Tensor log_softmax(const Tensor& x, int axis) { return softmax_along("log_softmax", true, x, axis); }

}  // namespace sesame
