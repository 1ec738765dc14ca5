// Axes of the charts in reports and studies.
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
  bool empty() const { return low > high; }
};

// A piece of the numbers and the pixels on which it is drawn.
struct Axis {
  double low = 0, high = 1, step = 0.2, from = 0, to = 1;
  bool log = false;  // equal ratios are equally long; then both ends are above 0
  double pixel(double value) const {
    const double share = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + share * (to - from);
  }
  double clamped(double value) const { return pixel(std::clamp(value, low, high)); }
};

// Round ticks, about five. `whole` widens the axis to whole steps; a constant gets some room around it.
Axis make_axis(Range range, double from, double to, bool whole);
// Equal ratios; the ends get some room. The range must lie above 0.
Axis make_log_axis(Range range, double from, double to);

struct Frame {
  double width = 0, height = 0;
  Axis x, y;
  bool ticks = true, grid = true;  // of the y axis: numbers, lines across
};

std::string open_figure(const Frame& frame, const std::string& label);  // <svg ...>
// An axis without a label has none.
std::string draw_axes(const Frame& frame, const std::string& x_label, const std::string& y_label);

}  // namespace sesame
