#include "autograd/ops/segment_ops.h"

#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"

namespace sesame {
namespace {

void check_rows(const char* op, const Tensor& x, const Segments& segments) {
  check_floating(op, "x", x);
  SESAME_CHECK(x.dim() == 2, op, "x must be [T, C], got {}", x.shape());
  SESAME_CHECK(segments.device() == x.device(), op, "segments lie on {}, x on {}: move them with to()",
               segments.device().name(), x.device().name());
  SESAME_CHECK(segments.end() <= x.size(0), op, "the segments reach to row {}, x {} has {} rows",
               segments.end(), x.shape(), x.size(0));
}

Tensor segment_reduce(const char* op, SegmentOp which, const Tensor& x, const Segments& segments) {
  check_rows(op, x, segments);
  const Shape shape = {segments.count(), x.size(1)};
  const Tensor y = Tensor::empty(shape, x.options());
  Tensor index;  // row of each maximum
  if (which == SegmentOp::Max && will_record({x})) index = Tensor::empty(shape, {DType::Int64, x.device()});
  kernel(op, x, &KernelTable::segment_reduce)(which, y.view(), index.defined() ? index.view() : View{},
                                              x.detach().contiguous().view(), segments.view());
  return record(op, y, {x}, {index}, [op, which, segments, from = x.shape()](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor& index = b.saved(0);
    const Tensor dx = Tensor::zeros(from, b.grad().options());
    kernel(op, dx, &KernelTable::segment_reduce_backward)(
        which, dx.view(), b.grad().view(), index.defined() ? index.view() : View{}, segments.view());
    b.give(0, dx);
  });
}

}  // namespace

// y[s] = sum of the rows of segment s; each row gets dy[s].
Tensor segment_sum(const Tensor& x, const Segments& segments) {
  return segment_reduce("segment_sum", SegmentOp::Sum, x, segments);
}

// y[s] = mean of the rows of segment s; each row gets dy[s] / length.
Tensor segment_mean(const Tensor& x, const Segments& segments) {
  return segment_reduce("segment_mean", SegmentOp::Mean, x, segments);
}

// y[s, c] = max over the rows of segment s; dy[s, c] goes to the row that had it.
Tensor segment_max(const Tensor& x, const Segments& segments) {
  return segment_reduce("segment_max", SegmentOp::Max, x, segments);
}

// y = softmax over the rows of each segment, per column; dx = y (dy - sum of dy y over the segment).
Tensor segment_softmax(const Tensor& x, const Segments& segments) {
  check_rows("segment_softmax", x, segments);
  const Tensor y = zeros_like(x);  // rows outside of segments are not written by the kernel
  kernel("segment_softmax", x, &KernelTable::segment_softmax)(y.view(), x.detach().contiguous().view(),
                                                              segments.view());
  return record("segment_softmax", y, {x}, {y}, [segments](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor dx = zeros_like(b.grad());
    kernel("segment_softmax", dx, &KernelTable::segment_softmax_backward)(dx.view(), b.grad().view(),
                                                                          b.saved(0).view(), segments.view());
    b.give(0, dx);
  });
}

// y[s] = sum_t softmax_t(scores) x_t over the rows t of segment s.
Tensor segment_attention_pool(const Tensor& x, const Tensor& scores, const Segments& segments) {
  check_rows("segment_attention_pool", x, segments);
  SESAME_CHECK(scores.defined() && scores.shape() == (Shape{x.size(0), 1}), "segment_attention_pool",
               "scores must be [{}, 1], got {}", x.size(0), scores.defined() ? scores.shape() : Shape{});
  return segment_sum(mul(x, segment_softmax(scores, segments)), segments);
}

}  // namespace sesame
