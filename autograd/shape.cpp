#include "autograd/shape.h"

#include <algorithm>

#include "autograd/check.h"

namespace sesame {

Shape::Shape(std::initializer_list<std::int64_t> sizes) {
  for (std::int64_t size : sizes) push_back(size);
}

Shape::Shape(const std::vector<std::int64_t>& sizes) {
  for (std::int64_t size : sizes) push_back(size);
}

Shape Shape::filled(int dim, std::int64_t value) {
  Shape shape;
  for (int i = 0; i < dim; ++i) shape.push_back(value);
  return shape;
}

bool Shape::operator==(const Shape& other) const {
  return dim_ == other.dim_ && std::equal(begin(), end(), other.begin());
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (std::int64_t size : *this) n *= size;
  return n;
}

void Shape::push_back(std::int64_t size) {
  SESAME_CHECK(dim_ < kMaxDim, "shape", "at most {} axes are supported", kMaxDim);
  sizes_[dim_++] = size;
}

std::string Shape::str() const {
  std::string text = "(";
  for (int i = 0; i < dim_; ++i) text += fmt::format("{}{}", i ? ", " : "", sizes_[i]);
  return text + (dim_ == 1 ? ",)" : ")");
}

void Shape::out_of_range(int axis) const {
  fail("shape", "axis {} is out of range for {} with {} axes", axis, str(), dim_);
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  std::int64_t step = 1;
  for (int i = shape.dim() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<std::int64_t>(shape[i], 1);
  }
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  const int dim = std::max(a.dim(), b.dim());
  Shape out = Shape::filled(dim, 1);
  for (int i = 1; i <= dim; ++i) {
    const std::int64_t x = i <= a.dim() ? a[-i] : 1;
    const std::int64_t y = i <= b.dim() ? b[-i] : 1;
    SESAME_CHECK(x == y || x == 1 || y == 1, op, "shapes {} and {} do not broadcast: axis -{} is {} and {}",
                 a, b, i, x, y);
    out[-i] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace sesame
