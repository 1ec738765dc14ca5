#include "tasks/study/figure.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tasks/report/axes.h"
#include "tasks/report/svg.h"

namespace sesame {

const char* const kFigureStyle = R"css(
.band { opacity: .18; } .mark { stroke: var(--faint); stroke-dasharray: 5 4; fill: none; }
.iso { fill: none; stroke: var(--card); stroke-width: 1; opacity: .75; }
.path { fill: none; stroke: var(--c1); stroke-width: 2; stroke-linejoin: round; }
.at { fill: var(--c1); stroke: var(--card); stroke-width: 1; } .from { fill: var(--card); stroke: var(--c1); stroke-width: 2; }
.spread { stroke: var(--ink); stroke-width: 1.5; opacity: .7; }
.scale { display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: 13px; margin: 8px 0; align-items: center; }
.scale i { display: inline-block; width: 20px; height: 12px; margin-right: 5px; border: 1px solid var(--rule); vertical-align: -1px; }
.scale svg { display: inline-block; width: 14px; height: 14px; margin: 0 5px 0 0; vertical-align: -2px; }
.read { margin: 0 0 12px; max-width: 88ch; }
.grid2 .card > svg { max-width: 640px; } .wide > svg { max-width: 880px; } .bar-card > svg { max-width: 640px; }
.maps { display: grid; grid-template-columns: repeat(2, minmax(0, 440px)); gap: 16px 24px; margin-bottom: 12px; }
@media (max-width: 640px) { .maps { grid-template-columns: minmax(0, 1fr); } }
.verdict { font-weight: 600; white-space: nowrap; } .agrees { color: var(--c2); } .differs { color: var(--wrong); }
.mixed { color: var(--c1); } .claim { width: 32%; min-width: 30ch; } .numbers td, .numbers th { white-space: normal; min-width: 64px; vertical-align: bottom; }
.numbers th { max-width: 150px; } .numbers td { overflow-wrap: normal; white-space: nowrap; }
.card + .card, .grid2 + .card, .card + .grid2 { margin-top: 16px; } .grid2 > .card + .card { margin-top: 0; } .card + h3 { margin-top: 24px; }
)css";

namespace {

// Curves: the y axis ends on whole ticks, the x axis at the data.
Frame make_frame(double width, double height, Range x, Range y) {
  return {width, height, make_axis(x, 64, width - 16, false), make_axis(y, height - 46, 12, true)};
}

// Maps: both end at the data.
Frame make_map_frame(double width, double height, Range x, Range y) {
  return {width, height, make_axis(x, 58, width - 12, false), make_axis(y, height - 46, 24, false),
          true,  false};
}

// Bars from the left: room for names, no ticks on the y axis.
Frame make_bar_frame(double width, double height, Range x) {
  return {width, height, make_axis(x, 150, width - 16, true), make_axis({0, 1}, height - 46, 8, false),
          false, false};
}

std::string polygon(const Band& band, const Axis& x, const Axis& y, std::size_t colour) {
  std::string points;
  const auto add = [&](std::size_t i, double value) {
    if (std::isfinite(value)) points += fmt::format("{:.1f},{:.1f} ", x.pixel(band.x[i]), y.clamped(value));
  };
  for (std::size_t i = 0; i < band.x.size(); ++i) add(i, band.high[i]);
  for (std::size_t i = band.x.size(); i-- > 0;) add(i, band.low[i]);
  return fmt::format("<polygon class=\"band d{}\" points=\"{}\"/>", colour, points);
}

std::string polyline(const std::vector<double>& xs, const std::vector<double>& ys, const Axis& x,
                     const Axis& y, const std::string& css) {
  std::string points;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    if (std::isfinite(ys[i])) points += fmt::format("{:.1f},{:.1f} ", x.pixel(xs[i]), y.clamped(ys[i]));
  }
  return fmt::format("<polyline class=\"{}\" points=\"{}\"/>", css, points);
}

// Share of the first colour in that of step `i` of `count`: low losses are strong.
int strength(std::size_t i, std::size_t count) {
  const double share = 1 - static_cast<double>(i) / static_cast<double>(std::max<std::size_t>(1, count - 1));
  return static_cast<int>(std::lround(4 + 84 * share));
}

std::string fill_of(std::size_t i, std::size_t count) {
  return fmt::format("color-mix(in srgb, var(--c0) {}%, var(--card))", strength(i, count));
}

// Corners of a cell of the grid, counter-clockwise from the lower left.
struct GridCell {
  double x[4], y[4], value[4];
};

GridCell cell_of(const ContourFigure& f, std::size_t i, std::size_t j) {
  const std::size_t at = j * f.x.size() + i, above = at + f.x.size();
  // What is no number lies above every level.
  const auto z = [&](std::size_t k) { return std::isfinite(f.z[k]) ? std::min(f.z[k], 1e6) : 1e6; };
  return {{f.x[i], f.x[i + 1], f.x[i + 1], f.x[i]},
          {f.y[j], f.y[j], f.y[j + 1], f.y[j + 1]},
          {z(at), z(at + 1), z(above + 1), z(above)}};
}

// Where the level is met on the edge from corner k to the next one; false where it is not.
bool cut(const GridCell& cell, std::size_t k, double level, double* x, double* y) {
  const std::size_t n = (k + 1) % 4;
  if ((cell.value[k] <= level) == (cell.value[n] <= level)) return false;
  const double share = (level - cell.value[k]) / (cell.value[n] - cell.value[k]);
  *x = cell.x[k] + share * (cell.x[n] - cell.x[k]);
  *y = cell.y[k] + share * (cell.y[n] - cell.y[k]);
  return true;
}

template <class Visit>
void each_cell(const ContourFigure& f, const Visit& visit) {
  for (std::size_t j = 0; j + 1 < f.y.size(); ++j) {
    for (std::size_t i = 0; i + 1 < f.x.size(); ++i) visit(cell_of(f, i, j));
  }
}

// The part of each cell that lies above the level, as one path: its pieces meet without seams.
std::string area_above(const ContourFigure& f, const Axis& x, const Axis& y, double level,
                       const std::string& fill) {
  std::string d;
  each_cell(f, [&](const GridCell& cell) {
    char step = 'M';
    const auto add = [&](double px, double py) {
      d += fmt::format("{}{:.1f} {:.1f}", step, x.pixel(px), y.pixel(py));
      step = 'L';
    };
    for (std::size_t k = 0; k < 4; ++k) {
      if (cell.value[k] > level) add(cell.x[k], cell.y[k]);
      double px = 0, py = 0;
      if (cut(cell, k, level, &px, &py)) add(px, py);
    }
    if (step == 'L') d += 'z';
  });
  return d.empty() ? "" : fmt::format("<path style=\"fill:{}\" d=\"{}\"/>", fill, d);
}

// From the lowest step up, each over the one before.
std::string fills(const ContourFigure& f, const Axis& x, const Axis& y) {
  std::string svg =
      fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" style=\"fill:{}\"/>",
                  x.from, y.to, x.to - x.from, y.from - y.to, fill_of(0, f.levels.size() + 1));
  for (std::size_t i = 0; i < f.levels.size(); ++i) {
    svg += area_above(f, x, y, f.levels[i], fill_of(i + 1, f.levels.size() + 1));
  }
  return svg;
}

// The line of a level in each cell.
std::string isolines(const ContourFigure& f, const Axis& x, const Axis& y, double level) {
  std::string d;
  each_cell(f, [&](const GridCell& cell) {
    bool open = false;
    for (std::size_t k = 0; k < 4; ++k) {
      double px = 0, py = 0;
      if (!cut(cell, k, level, &px, &py)) continue;
      d += fmt::format("{}{:.1f} {:.1f}", open ? 'L' : 'M', x.pixel(px), y.pixel(py));
      open = !open;
    }
  });
  return d.empty() ? "" : fmt::format("<path class=\"iso\" d=\"{}\"/>", d);
}

constexpr const char* kDiamond = "<path class=\"at\" d=\"M{:.1f} {:.1f}l5 5l-5 5l-5 -5z\"/>";

std::string marks(const ContourFigure& f, const Axis& x, const Axis& y) {
  std::string svg, line;
  for (const auto& [px, py] : f.path) line += fmt::format("{:.1f},{:.1f} ", x.pixel(px), y.pixel(py));
  if (!line.empty()) svg += fmt::format("<polyline class=\"path\" points=\"{}\"/>", line);
  for (std::size_t i = 1; i < f.path.size(); ++i) {
    svg += fmt::format("<circle class=\"at\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"/>",
                       x.pixel(f.path[i].first), y.pixel(f.path[i].second));
  }
  for (const auto& [px, py] : f.rings) {
    svg +=
        fmt::format("<circle class=\"from\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\"/>", x.pixel(px), y.pixel(py));
  }
  for (const auto& [px, py] : f.diamonds) svg += fmt::format(kDiamond, x.pixel(px), y.pixel(py) - 5);
  return svg;
}

}  // namespace

Band band_of(const std::string& name, const std::vector<double>& x,
             const std::vector<std::vector<double>>& runs) {
  Band band{.name = name, .x = x, .middle = {}, .low = {}, .high = {}};
  for (std::size_t i = 0; i < x.size(); ++i) {
    double sum = 0, low = HUGE_VAL, high = -HUGE_VAL;
    for (const std::vector<double>& run : runs) {
      sum += run[i];
      low = std::min(low, run[i]), high = std::max(high, run[i]);
    }
    band.middle.push_back(sum / static_cast<double>(runs.size()));
    band.low.push_back(low);
    band.high.push_back(high);
  }
  return band;
}

std::string band_figure(const BandFigure& figure) {
  Range x_range, y_range;
  std::string legend = "<div class=\"legend\">";
  for (std::size_t b = 0; b < figure.bands.size(); ++b) {
    const Band& band = figure.bands[b];
    for (const double value : band.x) x_range.add(value);
    for (const double value : band.low) y_range.add(value);
    for (const double value : band.high) y_range.add(figure.most > 0 ? std::min(value, figure.most) : value);
    legend += fmt::format("<span><i class=\"b{}\"></i>{}</span>", b, escape_html(band.name));
  }
  if (!figure.x_mark_name.empty()) {
    legend += fmt::format("<span class=\"faint\">dashed: {}</span>", escape_html(figure.x_mark_name));
  }
  const Frame frame = make_frame(640, 280, x_range, y_range);
  std::string svg =
      legend + "</div>" + open_figure(frame, figure.title) + draw_axes(frame, figure.x_label, figure.y_label);
  if (!figure.x_mark_name.empty()) {
    const double at = frame.x.pixel(figure.x_mark);
    svg += fmt::format("<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>",
                       at, frame.y.from, frame.y.to);
  }
  for (std::size_t b = 0; b < figure.bands.size(); ++b) {
    svg += polygon(figure.bands[b], frame.x, frame.y, b);
  }
  for (std::size_t b = 0; b < figure.bands.size(); ++b) {
    svg += polyline(figure.bands[b].x, figure.bands[b].middle, frame.x, frame.y, fmt::format("line c{}", b));
  }
  return svg + "</svg>";
}

std::string contour_figure(const ContourFigure& figure) {
  const Frame frame =
      make_map_frame(400, 400, {figure.x.front(), figure.x.back()}, {figure.y.front(), figure.y.back()});
  std::string svg = open_figure(frame, figure.title) + fills(figure, frame.x, frame.y);
  for (const double level : figure.levels) svg += isolines(figure, frame.x, frame.y, level);
  return svg + draw_axes(frame, figure.x_label, figure.y_label) + marks(figure, frame.x, frame.y) + "</svg>";
}

std::string contour_legend(const std::vector<double>& levels, const std::string& name) {
  std::string html = fmt::format("<div class=\"scale\"><span>{}</span>", escape_html(name));
  for (std::size_t i = 0; i <= levels.size(); ++i) {
    std::string text = i < levels.size() ? fmt::format("to {}", levels[i]) : "more";
    html +=
        fmt::format("<span><i style=\"background:{}\"></i>{}</span>", fill_of(i, levels.size() + 1), text);
  }
  return html + "</div>";
}

std::vector<double> contour_levels(const std::vector<const std::vector<double>*>& values) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const std::vector<double>* list : values) {
    for (const double value : *list) {
      if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
    }
  }
  std::vector<double> levels;
  for (const double level :
       {0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 9.0, 15.0}) {
    if (level > low && level < high) levels.push_back(level);
  }
  if (levels.size() >= 3 || !(low < high)) return levels;
  levels.clear();  // all values lie close together: even steps, rounded to three digits
  for (int i = 1; i <= 6; ++i) levels.push_back(std::stod(fmt::format("{:.3g}", low + (high - low) * i / 7)));
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  return levels;
}

std::string bar_figure(const BarFigure& figure) {
  Range range;
  range.add(0);
  for (std::size_t s = 0; s < figure.series.size(); ++s) {
    for (std::size_t n = 0; n < figure.names.size(); ++n) {
      range.add(figure.high.empty() ? figure.values[s][n] : figure.high[s][n]);
      range.add(figure.low.empty() ? figure.values[s][n] : figure.low[s][n]);
    }
  }
  const double thick = 12, row = thick * static_cast<double>(figure.series.size()) + 12;
  const double height = 58 + row * static_cast<double>(figure.names.size());
  const Frame frame = make_bar_frame(640, height, range);
  std::string svg = "<div class=\"legend\">";
  for (std::size_t s = 0; s < figure.series.size(); ++s) {
    svg += fmt::format("<span><i class=\"b{}\"></i>{}</span>", s % 6, escape_html(figure.series[s]));
  }
  svg += "</div>" + open_figure(frame, figure.title) + draw_axes(frame, figure.value_label, "");
  const double zero = frame.x.pixel(0);
  for (std::size_t n = 0; n < figure.names.size(); ++n) {
    const double top = frame.y.to + 6 + row * static_cast<double>(n);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", frame.x.from - 8,
                       top + (row - 12) / 2 + 4, escape_html(figure.names[n]));
    for (std::size_t s = 0; s < figure.series.size(); ++s) {
      const double at = frame.x.pixel(figure.values[s][n]), y = top + thick * static_cast<double>(s);
      svg += fmt::format(
          "<rect class=\"d{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
          "height=\"{:.1f}\"><title>{}</title></rect>",
          s % 6, std::min(zero, at), y, std::max(1.0, std::abs(at - zero)), thick - 2,
          format_value(figure.values[s][n]));
      if (figure.low.empty()) continue;
      svg += fmt::format("<line class=\"spread\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>",
                         frame.x.pixel(figure.low[s][n]), frame.x.pixel(figure.high[s][n]), y + thick / 2 - 1,
                         y + thick / 2 - 1);
    }
  }
  return svg +
         fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>",
                     zero, frame.y.from, frame.y.to) +
         "</svg>";
}

}  // namespace sesame
