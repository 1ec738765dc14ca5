// Views and copies: methods of Tensor, each with its backward right below its forward. A view shares storage;
// its gradient is the inverse view of the incoming gradient.
#include <algorithm>

#include "autograd/ops/op_support.h"

namespace sesame {
namespace {

// Gradient of a view that shows part of a tensor: zeros of the input's shape with `grad` written into the
// part.
template <class Part>
Tensor scatter_into(const Shape& shape, const Tensor& grad, Part part) {
  Tensor full = Tensor::zeros(shape, grad.options());
  part(full).copy_(grad);
  return full;
}

// Resolves a -1 in the wanted shape.
Shape resolve_shape(const Tensor& x, const Shape& wanted) {
  Shape shape = wanted;
  int unknown = -1;
  std::int64_t known = 1;
  for (int i = 0; i < shape.dim(); ++i) {
    if (shape[i] == -1) {
      SESAME_CHECK(unknown < 0, "reshape", "only one size may be -1, got {}", wanted);
      unknown = i;
    } else {
      SESAME_CHECK(shape[i] >= 0, "reshape", "sizes must not be negative but for one -1, got {}", wanted);
      known *= shape[i];
    }
  }
  if (unknown >= 0 && known > 0 && x.numel() % known == 0) shape[unknown] = x.numel() / known;
  SESAME_CHECK(shape.numel() == x.numel() && (unknown < 0 || shape[unknown] >= 0), "reshape",
               "{} with {} elements does not fit shape {}", x.shape(), x.numel(), wanted);
  return shape;
}

}  // namespace

// y = x with other sizes, row-major order kept; dx = dy reshaped.
Tensor Tensor::reshape(const Shape& wanted) const {
  const Shape shape = resolve_shape(*this, wanted);
  if (shape == this->shape()) return *this;
  const Tensor source = detach().contiguous();
  const Tensor y = source.alias(shape, contiguous_strides(shape), source.offset());
  return record("reshape", y, {*this}, {}, [from = this->shape()](Backward& b) {
    if (b.wanted(0)) b.give(0, b.grad().reshape(from));
  });
}

// y[.., i_b, .., i_a, ..] = x[.., i_a, .., i_b, ..]; its own inverse.
Tensor Tensor::transpose(int a, int b) const {
  std::vector<int> order(static_cast<std::size_t>(dim()));
  for (int i = 0; i < dim(); ++i) order[static_cast<std::size_t>(i)] = i;
  std::swap(order[static_cast<std::size_t>(shape().axis(a))],
            order[static_cast<std::size_t>(shape().axis(b))]);
  return permute(order);
}

// Axis i of y is axis order[i] of x; backward permutes by the inverse order.
Tensor Tensor::permute(const std::vector<int>& order) const {
  SESAME_CHECK(static_cast<int>(order.size()) == dim(), "permute", "{} axes named for {}", order.size(),
               shape());
  Shape shape;
  Strides strides;
  std::vector<int> inverse(order.size(), -1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const int axis = this->shape().axis(order[i]);
    SESAME_CHECK(inverse[static_cast<std::size_t>(axis)] < 0, "permute", "axis {} is named twice", axis);
    inverse[static_cast<std::size_t>(axis)] = static_cast<int>(i);
    shape.push_back(this->shape()[axis]);
    strides.push_back(this->strides()[axis]);
  }
  return record("permute", alias(shape, strides, offset()), {*this}, {}, [inverse](Backward& b) {
    if (b.wanted(0)) b.give(0, b.grad().permute(inverse));
  });
}

// y = x[.., begin:end, ..]; dx = zeros with dy in its place.
Tensor Tensor::slice(int axis, std::int64_t begin, std::int64_t end) const {
  const int a = shape().axis(axis);
  SESAME_CHECK(0 <= begin && begin <= end && end <= shape()[a], "slice", "[{}, {}) leaves axis {} of {}",
               begin, end, a, shape());
  Shape part = shape();
  part[a] = end - begin;
  const Tensor y = alias(part, strides(), offset() + begin * strides()[a]);
  return record("slice", y, {*this}, {}, [from = shape(), a, begin, end](Backward& b) {
    if (!b.wanted(0)) return;
    b.give(0, scatter_into(from, b.grad(), [&](Tensor& full) { return full.slice(a, begin, end); }));
  });
}

// y = x repeated along axes of size 1 (stride 0); the engine sums dy back.
Tensor Tensor::expand(const Shape& wanted) const {
  SESAME_CHECK(broadcast_shapes("expand", shape(), wanted) == wanted, "expand", "{} cannot be expanded to {}",
               shape(), wanted);
  Strides strides = Shape::filled(wanted.dim(), 0);
  for (int i = 1; i <= dim(); ++i) strides[-i] = shape()[-i] == 1 ? 0 : this->strides()[-i];
  return record("expand", alias(wanted, strides, offset()), {*this}, {}, [](Backward& b) {
    if (b.wanted(0)) b.give(0, b.grad());
  });
}

// y = x in row-major order, itself if it is so already.
Tensor Tensor::contiguous() const {
  if (is_contiguous()) return *this;
  return record("contiguous", clone(), {*this}, {}, [](Backward& b) {
    if (b.wanted(0)) b.give(0, b.grad());
  });
}

// y = x in another element type; dx = dy converted back.
Tensor Tensor::to(DType dtype) const {
  if (dtype == this->dtype()) return *this;
  Tensor y = empty(shape(), {dtype, device()});
  kernels(device()).copy(y.view(), view());
  if (!is_floating(dtype)) return y;
  return record("to_dtype", y, {*this}, {}, [from = this->dtype()](Backward& b) {
    if (b.wanted(0)) b.give(0, b.grad().to(from));
  });
}

// y = x on another device; dx = dy moved back.
Tensor Tensor::to(Device device) const {
  if (device == this->device()) return *this;
  Tensor y = empty(shape(), {dtype(), device});
  const Tensor x = detach().contiguous();
  const std::size_t bytes = static_cast<std::size_t>(numel()) * dtype_size(dtype());
  if (this->device() == Device{}) {
    kernels(device).copy_from_host(y.view().data, x.view().data, bytes);
  } else if (device == Device{}) {
    kernels(this->device()).copy_to_host(y.view().data, x.view().data, bytes);
  } else {
    return to(Device{}).to(device);
  }
  return record("to_device", y, {*this}, {}, [from = this->device()](Backward& b) {
    if (b.wanted(0)) b.give(0, b.grad().to(from));
  });
}

}  // namespace sesame
