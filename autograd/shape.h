// Sizes of a tensor's axes, at most kMaxDim of them, kept in place so that a shape costs no allocation.
#pragma once

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace sesame {

inline constexpr int kMaxDim = 6;

// A short list of int64: used for sizes (Shape) and for strides in elements (Strides).
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(const std::vector<std::int64_t>& sizes);
  // `dim` axes of size `value`.
  static Shape filled(int dim, std::int64_t value);

  int dim() const { return dim_; }
  // Negative axes count from the end. Throws Error when out of range.
  std::int64_t operator[](int axis) const { return sizes_[checked(axis)]; }
  std::int64_t& operator[](int axis) { return sizes_[checked(axis)]; }
  const std::int64_t* begin() const { return sizes_.data(); }
  const std::int64_t* end() const { return sizes_.data() + dim_; }
  bool operator==(const Shape& other) const;

  // Product of the sizes; 1 for a scalar.
  std::int64_t numel() const;
  void push_back(std::int64_t size);
  // Turns a negative axis into a non-negative one; throws Error when out of range.
  int axis(int axis) const { return checked(axis); }
  // "(2, 3)".
  std::string str() const;

 private:
  int checked(int axis) const {
    const int a = axis < 0 ? axis + dim_ : axis;
    if (a < 0 || a >= dim_) out_of_range(axis);
    return a;
  }
  [[noreturn]] void out_of_range(int axis) const;

  std::array<std::int64_t, kMaxDim> sizes_{};
  int dim_ = 0;
};

using Strides = Shape;

// Strides in elements of a row-major tensor: (2, 3) -> (3, 1).
Strides contiguous_strides(const Shape& shape);

// NumPy broadcasting: sizes are aligned at the end, 1 stretches. Throws Error naming `op` when they do not
// fit.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace sesame

// Written out here: fmt/core.h declares the formatter of strings, only fmt/format.h defines it.
template <>
struct fmt::formatter<sesame::Shape> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(const sesame::Shape& shape, Context& context) const {
    auto out = context.out();
    for (char c : shape.str()) *out++ = c;
    return out;
  }
};
