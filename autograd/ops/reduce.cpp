#include "autograd/ops/reduce.h"

#include <algorithm>

#include "autograd/ops/op_support.h"

namespace sesame {
namespace {

// Sizes of x with the reduced axes as one block in the middle, as kernels want it.
struct Fold {
  std::int64_t outer = 1, n = 1, inner = 1;
};

Fold fold(const Shape& shape, int first, int last) {
  Fold f;
  for (int i = 0; i < shape.dim(); ++i) (i < first ? f.outer : i <= last ? f.n : f.inner) *= shape[i];
  return f;
}

std::vector<bool> reduced_axes(const char* op, const Shape& shape, const std::vector<int>& axes) {
  std::vector<bool> reduced(static_cast<std::size_t>(shape.dim()), axes.empty());
  for (int axis : axes) {
    const auto i = static_cast<std::size_t>(shape.axis(axis));
    SESAME_CHECK(!reduced[i], op, "axis {} is named twice", axis);
    reduced[i] = true;
  }
  return reduced;
}

Shape kept_shape(const Shape& shape, const std::vector<bool>& reduced) {
  Shape kept = shape;
  for (int i = 0; i < shape.dim(); ++i) {
    if (reduced[static_cast<std::size_t>(i)]) kept[i] = 1;
  }
  return kept;
}

Shape dropped_shape(const Shape& shape, const std::vector<bool>& reduced) {
  Shape dropped;
  for (int i = 0; i < shape.dim(); ++i) {
    if (!reduced[static_cast<std::size_t>(i)]) dropped.push_back(shape[i]);
  }
  return dropped;
}

// Sums run by run of neighbouring axes, the last run first; the result keeps the reduced axes with size 1.
Tensor sum_values(const char* op, const Tensor& x, const std::vector<bool>& reduced) {
  check_floating(op, "x", x);
  auto* reduce = kernel(op, x, &KernelTable::reduce);
  Tensor y = x.detach().contiguous();
  for (int last = x.dim() - 1; last >= 0; --last) {
    if (!reduced[static_cast<std::size_t>(last)]) continue;
    int first = last;
    while (first > 0 && reduced[static_cast<std::size_t>(first - 1)]) --first;
    const Fold f = fold(y.shape(), first, last);
    Shape shape = y.shape();
    for (int i = first; i <= last; ++i) shape[i] = 1;
    const Tensor part = Tensor::empty(shape, x.options());
    reduce(ReduceOp::Sum, part.view(), {}, y.view(), f.outer, f.n, f.inner);
    y = part;
    last = first;
  }
  return y;
}

struct Maximum {
  Tensor value, index;  // axis kept with size 1; index counts along the axis
  Fold fold;
};

Maximum find_maximum(const char* op, const Tensor& x, int axis) {
  check_floating(op, "x", x);
  const int a = x.shape().axis(axis);
  SESAME_CHECK(x.size(a) > 0, op, "axis {} of {} is empty and has no maximum", axis, x.shape());
  Shape shape = x.shape();
  shape[a] = 1;
  Maximum m{Tensor::empty(shape, x.options()), Tensor::empty(shape, {DType::Int64, x.device()}),
            fold(x.shape(), a, a)};
  kernel(op, x, &KernelTable::reduce)(ReduceOp::Max, m.value.view(), m.index.view(),
                                      x.detach().contiguous().view(), m.fold.outer, m.fold.n, m.fold.inner);
  return m;
}

Shape without_axis(const Shape& shape, int axis, bool keepdim) {
  std::vector<bool> reduced(static_cast<std::size_t>(shape.dim()), false);
  reduced[static_cast<std::size_t>(shape.axis(axis))] = true;
  return keepdim ? kept_shape(shape, reduced) : dropped_shape(shape, reduced);
}

// Positions along the axis become rows of x seen as [outer * n, inner].
Tensor absolute_rows(const Maximum& m) {
  std::vector<std::int64_t> first(static_cast<std::size_t>(m.fold.outer));
  for (std::size_t i = 0; i < first.size(); ++i) first[i] = static_cast<std::int64_t>(i) * m.fold.n;
  const Tensor positions = m.index.reshape({m.fold.outer, m.fold.inner});
  const Tensor offsets = Tensor::from(first, {m.fold.outer, 1}, m.index.device()).expand(positions.shape());
  const Tensor rows = empty_like(positions);
  kernel("max", rows, &KernelTable::binary)(BinaryOp::Add, rows.view(), positions.view(), offsets.view());
  return rows;
}

}  // namespace

// y = sum over the axes; dx = dy repeated along them.
Tensor sum(const Tensor& x, const std::vector<int>& axes, bool keepdim) {
  check_floating("sum", "x", x);
  const std::vector<bool> reduced = reduced_axes("sum", x.shape(), axes);
  const Shape kept = kept_shape(x.shape(), reduced);
  Tensor y = sum_values("sum", x, reduced).reshape(keepdim ? kept : dropped_shape(x.shape(), reduced));
  if (x.numel() == y.numel() && y.storage() == x.storage()) y = y.clone();  // only axes of size 1, or none
  return record("sum", y, {x}, {}, [kept, from = x.shape()](Backward& b) {
    if (b.wanted(0)) b.give(0, b.grad().reshape(kept).expand(from));
  });
}

// y = sum / count; dx = dy / count repeated along the axes.
Tensor mean(const Tensor& x, const std::vector<int>& axes, bool keepdim) {
  check_floating("mean", "x", x);
  const std::vector<bool> reduced = reduced_axes("mean", x.shape(), axes);
  const Shape kept = kept_shape(x.shape(), reduced);
  SESAME_CHECK(x.numel() > 0 || kept.numel() == 0, "mean", "{} has no elements to average", x.shape());
  const double share =
      x.numel() == 0 ? 0 : static_cast<double>(kept.numel()) / static_cast<double>(x.numel());
  const Tensor total = sum_values("mean", x, reduced);
  const Tensor y = Tensor::empty(keepdim ? kept : dropped_shape(x.shape(), reduced), x.options());
  kernel("mean", x, &KernelTable::affine)(y.view(), total.view(), share, 0);
  return record("mean", y, {x}, {}, [kept, share, from = x.shape()](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor part = empty_like(b.grad());
    kernel("mean", part, &KernelTable::affine)(part.view(), b.grad().view(), share, 0);
    b.give(0, part.reshape(kept).expand(from));
  });
}

// y = the largest; dx = dy at its first position, 0 elsewhere.
Tensor max(const Tensor& x, int axis, bool keepdim) {
  const Maximum m = find_maximum("max", x, axis);
  const Tensor y = m.value.reshape(without_axis(x.shape(), axis, keepdim));
  if (!will_record({x})) return y;
  return record("max", y, {x}, {absolute_rows(m)}, [f = m.fold, from = x.shape()](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor dx = Tensor::zeros({f.outer * f.n, f.inner}, b.grad().options());
    SegmentsView segments;
    segments.count = f.outer;
    kernel("max", dx, &KernelTable::segment_reduce_backward)(
        SegmentOp::Max, dx.view(), b.grad().reshape({f.outer, f.inner}).view(), b.saved(0).view(), segments);
    b.give(0, dx.reshape(from));
  });
}

Tensor argmax(const Tensor& x, int axis, bool keepdim) {
  return find_maximum("argmax", x, axis).index.reshape(without_axis(x.shape(), axis, keepdim));
}

TopK top_k(const Tensor& x, std::int64_t k) {
  check_floating("top_k", "x", x);
  SESAME_CHECK(x.dim() == 2 && 1 <= k && k <= x.size(1), "top_k",
               "x must be [rows, n] and k 1 to n, got {} and k = {}", x.shape(), k);
  const Shape shape = {x.size(0), k};
  const TopK top = {Tensor::empty(shape, x.options()), Tensor::empty(shape, {DType::Int64, x.device()})};
  kernel("top_k", x, &KernelTable::top_k)(top.values.view(), top.index.view(), x.detach().contiguous().view(),
                                          k);
  return top;
}

}  // namespace sesame
