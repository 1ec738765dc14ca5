// Axes for pictures of any size (tasks/report/svg.h draws its charts at one size).
#pragma once

#include <algorithm>
#include <cmath>
#include <string>

namespace sesame {

struct Range {
  double low = HUGE_VAL, high = -HUGE_VAL;
  void add(double value) {
    if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
  }
};

// A piece of the numbers and the pixels on which it is drawn.
struct Axis {
  double low = 0, high = 1, step = 0.2, from = 0, to = 1;
  double pixel(double value) const { return from + (value - low) / (high - low) * (to - from); }
  double clamped(double value) const { return pixel(std::clamp(value, low, high)); }
};

struct Frame {
  double width = 0, height = 0;
  Axis x, y;
  bool ticks = true, grid = true;  // of the y axis: numbers, lines across
};

// Curves: the y axis ends on whole ticks, the x axis at the data.
Frame make_frame(double width, double height, Range x, Range y);
// Maps: both end at the data.
Frame make_map_frame(double width, double height, Range x, Range y);
// Bars from the left: room for names, no ticks on the y axis.
Frame make_bar_frame(double width, double height, Range x);

std::string open_figure(const Frame& frame, const std::string& label);  // <svg ...>
std::string draw_axes(const Frame& frame, const std::string& x_label, const std::string& y_label);

}  // namespace sesame
