// The pictures of study.html that the report of a run does not have: curves with a band of spread, filled
// contours. Inline SVG in the colours of the page (tasks/report/style.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sesame {

// A curve with the spread of several runs. [n] each.
struct Band {
  std::string name;
  std::vector<double> x, middle, low, high;
};
// Mean, lowest and highest of several curves over the same x.
Band band_of(const std::string& name, const std::vector<double>& x,
             const std::vector<std::vector<double>>& runs);

struct BandFigure {
  std::string title, x_label, y_label;
  std::vector<Band> bands;
  double x_mark = 0;
  std::string x_mark_name;  // where not empty: a dashed line at x_mark, named in the legend
  double most = 0;          // > 0: the y axis ends there, what lies higher is cut off
};
std::string band_figure(const BandFigure& figure);

// Values on a grid: z[row * x.size() + column] belongs to (x[column], y[row]).
struct ContourFigure {
  std::string title, x_label, y_label;
  std::vector<double> x, y, z;
  std::vector<double> levels;                              // ascending; one colour for each step
  std::vector<std::pair<double, double>> path;             // drawn with dots, the first point hollow
  std::vector<std::pair<double, double>> diamonds, rings;  // marks
};
std::string contour_figure(const ContourFigure& figure);
// Which colour is which step of the levels.
std::string contour_legend(const std::vector<double>& levels, const std::string& name);
// The level list for pictures that are to be compared: those of a fixed list that all values need.
std::vector<double> contour_levels(const std::vector<const std::vector<double>*>& values);

// Bars with names, one row for each name and one bar for each series in it.
struct BarFigure {
  std::string title, value_label;
  std::vector<std::string> names, series;
  std::vector<std::vector<double>> values, low, high;  // [series][name]; the spread may be empty
};
std::string bar_figure(const BarFigure& figure);

// The style sheet that these need beside the report's.
extern const char* const kFigureStyle;

}  // namespace sesame
