#include "tasks/study/point_figure.h"

#include <fmt/core.h>

#include <algorithm>

#include "tasks/report/axes.h"
#include "tasks/report/svg.h"

namespace sesame {
namespace {

constexpr double kWidth = 880, kHeight = 420;
constexpr double kCharacter = 6.4, kLine = 13;  // of the 12 pixel font, about
constexpr double kDot = 5;

Frame frame_of(const PointFigure& figure) {
  Range x, y;
  for (const PointSeries& series : figure.series) {
    for (const NamedPoint& p : series.points) {
      x.add(p.x), y.add(p.y);
      if (p.high > p.low) y.add(p.low), y.add(p.high);
    }
  }
  return {.width = kWidth,
          .height = kHeight,
          .x = make_log_axis(x, 64, kWidth - 16),
          .y = make_axis(y, kHeight - 46, 14, true)};
}

// How much of this text would lie on what is there.
int covered(const LabelPlace& place, const std::vector<LabelPlace>& taken,
            const std::vector<std::pair<double, double>>& points) {
  int count = 0;
  for (const LabelPlace& other : taken) count += place.overlaps(other) ? 2 : 0;
  for (const auto& [x, y] : points) {
    const LabelPlace dot{.x = x - kDot, .y = y + kDot, .width = 2 * kDot};
    count += place.overlaps(dot) ? 1 : 0;
  }
  return count;
}

std::string draw_series(const PointSeries& series, const Frame& frame, std::size_t colour) {
  std::string svg, line;
  for (const NamedPoint& p : series.points) {
    const double x = frame.x.pixel(p.x), y = frame.y.pixel(p.y);
    line += fmt::format("{:.1f},{:.1f} ", x, y);
    if (p.high > p.low) {
      svg +=
          fmt::format("<line class=\"spread\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>",
                      x, frame.y.pixel(p.low), frame.y.pixel(p.high));
    }
    svg +=
        fmt::format("<circle class=\"d{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}</title></circle>",
                    colour, x, y, kDot, escape_html(p.title));
  }
  if (!series.line) return svg;
  return fmt::format("<polyline class=\"line c{}\" points=\"{}\"/>", colour, line) + svg;
}

}  // namespace

bool LabelPlace::overlaps(const LabelPlace& other) const {
  return x < other.x + other.width && other.x < x + width && y - kLine < other.y && other.y - kLine < y;
}

std::vector<LabelPlace> place_labels(const std::vector<std::pair<double, double>>& points,
                                     const std::vector<double>& widths, double left, double right) {
  std::vector<LabelPlace> taken;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto [x, y] = points[i];
    const double width = widths[i];
    std::vector<LabelPlace> choices;
    for (const double far : {0.0, kLine, 2 * kLine}) {
      choices.push_back({x + kDot + 3, y + 4 - far, width});
      choices.push_back({x - width / 2, y - kDot - 4 - far, width});
      choices.push_back({x - width / 2, y + kDot + kLine + far, width});
      choices.push_back({x - kDot - 3 - width, y + 4 + far, width});
    }
    std::erase_if(choices, [&](const LabelPlace& p) { return p.x < left || p.x + p.width > right; });
    if (choices.empty()) choices.push_back({left, y, width});
    taken.push_back(*std::min_element(choices.begin(), choices.end(), [&](const auto& a, const auto& b) {
      return covered(a, taken, points) < covered(b, taken, points);
    }));
  }
  return taken;
}

std::string point_figure(const PointFigure& figure) {
  const Frame frame = frame_of(figure);
  std::string legend = "<div class=\"legend\">", svg;
  std::vector<std::pair<double, double>> places;
  std::vector<double> widths;
  for (std::size_t s = 0; s < figure.series.size(); ++s) {
    const PointSeries& series = figure.series[s];
    legend += fmt::format("<span><i class=\"b{}\"></i>{}</span>", s % 6, escape_html(series.name));
    svg += draw_series(series, frame, s % 6);
    for (const NamedPoint& p : series.points) {
      places.emplace_back(frame.x.pixel(p.x), frame.y.pixel(p.y));
      widths.push_back(kCharacter * static_cast<double>(p.label.size()));
    }
  }
  const std::vector<LabelPlace> labels = place_labels(places, widths, frame.x.from, frame.x.to);
  std::size_t next = 0;
  for (const PointSeries& series : figure.series) {
    for (const NamedPoint& p : series.points) {
      const LabelPlace& at = labels[next++];
      svg += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", at.x, at.y,
                         escape_html(p.label));
    }
  }
  return legend + "</div>" + open_figure(frame, figure.title) +
         draw_axes(frame, figure.x_label, figure.y_label) + svg + "</svg>";
}

}  // namespace sesame
