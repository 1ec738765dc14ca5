// Points with names over a logarithmic axis, in families: one colour each, some joined by a line.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sesame {

struct NamedPoint {
  double x = 0, y = 0;       // x above 0
  double low = 0, high = 0;  // of y, where there were several runs; both 0: none
  std::string label, title;  // beside the point; when the mouse rests on it
};

struct PointSeries {
  std::string name;
  bool line = false;
  std::vector<NamedPoint> points;
};

struct PointFigure {
  std::string title, x_label, y_label;
  std::vector<PointSeries> series;
};
std::string point_figure(const PointFigure& figure);

// A text of this width whose line begins at (x, y), in pixels.
struct LabelPlace {
  double x = 0, y = 0, width = 0;
  bool overlaps(const LabelPlace& other) const;
};
// Where each point's text goes: right, above, below or left of it, or farther off, so that it covers no other
// text and no point as far as that can be. (x, y) of the points in pixels; nothing begins left of `left` or
// ends right of `right`.
std::vector<LabelPlace> place_labels(const std::vector<std::pair<double, double>>& points,
                                     const std::vector<double>& widths, double left, double right);

}  // namespace sesame
