#include "tasks/report/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tasks/report/axes.h"

namespace sesame {

namespace {

constexpr double kWidth = 640, kHeight = 300;
constexpr double kLeft = 64, kRight = 16, kTop = 14, kBottom = 46;
constexpr size_t kMaxPoints = 500;  // drawn per line
constexpr size_t kMaxStrips = 160;  // hover strips per chart
constexpr size_t kDotted = 40;      // lines of at most so many points get dots
constexpr size_t kMaxDots = 3000;   // in a scatter chart

using Points = std::vector<std::pair<double, double>>;

// All charts here are of one size.
Frame chart_frame(Range x, Range y, bool whole = true) {
  return {.width = kWidth,
          .height = kHeight,
          .x = make_axis(x, kLeft, kWidth - kRight, false),
          .y = make_axis(y, kHeight - kBottom, kTop, whole)};
}

// Mean over a window of a 25th of the points around each.
Points smoothed(const Points& points) {
  const size_t half = std::max<size_t>(2, points.size() / 50);
  Points result;
  double sum = 0;
  size_t begin = 0, end = 0;  // the window is [begin, end)
  for (size_t i = 0; i < points.size(); ++i) {
    while (end < std::min(points.size(), i + half + 1)) sum += points[end++].second;
    while (begin + half < i) sum -= points[begin++].second;
    result.emplace_back(points[i].first, sum / static_cast<double>(end - begin));
  }
  return result;
}

// Of every run of points the lowest and the highest, so that spikes stay visible.
Points thinned(const Points& points) {
  if (points.size() <= kMaxPoints) return points;
  Points result;
  const size_t runs = kMaxPoints / 2;
  for (size_t run = 0; run < runs; ++run) {
    const auto begin = points.begin() + static_cast<long>(run * points.size() / runs);
    const auto end = points.begin() + static_cast<long>((run + 1) * points.size() / runs);
    const auto by_value = [](const auto& a, const auto& b) { return a.second < b.second; };
    auto [low, high] = std::minmax_element(begin, end, by_value);
    if (high < low) std::swap(low, high);
    result.push_back(*low);
    if (high != low) result.push_back(*high);
  }
  return result;
}

Points finite_points(const Points& points) {
  Points result;
  for (const auto& point : points) {
    // Written so that NaN fails too; larger numbers would overflow on the way to pixels.
    if (std::abs(point.first) < 1e100 && std::abs(point.second) < 1e100) result.push_back(point);
  }
  return result;
}

std::string polyline(const Points& points, const Axis& x, const Axis& y, const std::string& css) {
  std::string path;
  for (const auto& [step, value] : points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.pixel(step), y.pixel(value));
  }
  return fmt::format("<path class=\"{}\" d=\"{}\"/>", css, path);
}

// Invisible strips over the plot, each with a title that names step and values nearest to it.
std::string hover_strips(const Curve& curve, const std::vector<Points>& lines, const Axis& x, const Axis& y) {
  std::vector<double> steps;
  for (const Points& line : lines) {
    for (const auto& point : line) steps.push_back(point.first);
  }
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  const size_t count = std::min(steps.size(), kMaxStrips);
  std::string svg;
  for (size_t i = 0; i < count; ++i) {
    const auto chosen = [&](size_t index) {
      return steps[index * (steps.size() - 1) / std::max<size_t>(1, count - 1)];
    };
    const double step = chosen(i);
    const double left = i == 0 ? x.from : (x.pixel(chosen(i - 1)) + x.pixel(step)) / 2;
    const double right = i + 1 == count ? x.to : (x.pixel(chosen(i + 1)) + x.pixel(step)) / 2;
    std::string title = fmt::format("{} {}", escape_html(curve.x_label), format_value(step));
    for (size_t s = 0; s < lines.size(); ++s) {
      const auto at = std::lower_bound(lines[s].begin(), lines[s].end(), std::pair(step, -HUGE_VAL));
      if (at == lines[s].end()) continue;
      title += fmt::format("\n{}: {}", escape_html(curve.series[s].name), format_value(at->second));
    }
    svg += fmt::format(
        "<rect class=\"strip\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\"><title>{}</title></rect>",
        left, y.to, right - left, y.from - y.to, title);
  }
  return svg;
}

std::string legend(const Curve& curve) {
  std::string html = "<div class=\"legend\">";
  for (size_t s = 0; s < curve.series.size(); ++s) {
    html +=
        fmt::format("<span><i class=\"b{}\"></i>{}</span>", s % kColours, escape_html(curve.series[s].name));
  }
  if (curve.smooth) html += "<span class=\"faint\">faint: each step, bold: moving mean</span>";
  return html + "</div>";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') escaped += c;
    }
  }
  return escaped;
}

std::string format_count(int64_t number) {
  std::string digits = std::to_string(number);
  const int first = number < 0 ? 1 : 0;
  for (int i = static_cast<int>(digits.size()) - 3; i > first; i -= 3)
    digits.insert(static_cast<size_t>(i), 1, ',');
  return digits;
}

std::string format_value(double value) {
  if (!std::isfinite(value)) return "-";
  if (value == std::floor(value) && std::abs(value) < 1e15 && std::abs(value) >= 10) {
    return format_count(static_cast<int64_t>(value));
  }
  return fmt::format("{:.4g}", value);
}

std::string line_chart(const Curve& curve) {
  std::vector<Points> lines;
  Range x_range, y_range;
  for (const Series& series : curve.series) {
    lines.push_back(finite_points(series.points));
    for (const auto& [step, value] : lines.back()) {
      x_range.add(step), y_range.add(value);
    }
  }
  if (x_range.empty()) return "<p class=\"faint\">no values</p>";
  const Frame frame = chart_frame(x_range, y_range);
  const Axis &x = frame.x, &y = frame.y;
  std::string svg =
      legend(curve) + open_figure(frame, curve.title) + draw_axes(frame, curve.x_label, curve.y_label);
  for (size_t s = 0; s < lines.size(); ++s) {
    const bool smooth = curve.smooth && lines[s].size() >= 10;
    const std::string colour = fmt::format("c{}", s % kColours);
    svg += polyline(thinned(lines[s]), x, y, colour + (smooth ? " raw" : " line"));
    if (smooth) svg += polyline(thinned(smoothed(lines[s])), x, y, colour + " line");
    if (lines[s].size() > kDotted) continue;
    for (const auto& [step, value] : lines[s]) {
      svg += fmt::format("<circle class=\"d{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", s % kColours,
                         x.pixel(step), y.pixel(value));
    }
  }
  return svg + hover_strips(curve, lines, x, y) + "</svg>";
}

std::string histogram(const std::vector<int64_t>& values, const std::string& x_label) {
  if (values.empty()) return "";
  std::vector<int64_t> sorted(values);
  std::sort(sorted.begin(), sorted.end());
  const auto share = [&](double part) {
    return sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))];
  };
  // Whole bins up to the largest value, about 40 of them.
  const int64_t low = sorted.front(), high = sorted.back();
  const int64_t width = std::max<int64_t>(1, (high - low + 40) / 40);
  std::vector<int64_t> bins(static_cast<size_t>((high - low) / width + 1));
  for (const int64_t value : values) ++bins[static_cast<size_t>((value - low) / width)];
  const auto top = static_cast<double>(*std::max_element(bins.begin(), bins.end()));
  const double end = static_cast<double>(low + width * static_cast<int64_t>(bins.size()));
  const Frame frame = chart_frame({static_cast<double>(low), end}, {0, top});
  const Axis &x = frame.x, &y = frame.y;
  std::string svg = open_figure(frame, x_label) + draw_axes(frame, x_label, "examples");
  for (size_t i = 0; i < bins.size(); ++i) {
    const int64_t from = low + width * static_cast<int64_t>(i);
    const double left = x.pixel(static_cast<double>(from)),
                 right = x.pixel(static_cast<double>(from + width));
    const double height = y.from - y.pixel(static_cast<double>(bins[i]));
    const std::string range =
        width == 1 ? std::to_string(from) : fmt::format("{} to {}", from, from + width - 1);
    svg += fmt::format(
        "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>{}: {} "
        "examples</title></rect>",
        left + 0.5, y.from - height, std::max(0.5, right - left - 1), height, range, format_count(bins[i]));
  }
  return svg + fmt::format("</svg><p class=\"faint\">shortest {}, median {}, 95 % up to {}, longest {}</p>",
                           low, share(0.5), share(0.95), high);
}

std::string scatter_chart(const std::vector<std::pair<double, double>>& all) {
  const Points points = finite_points(all);
  if (points.empty()) return "<p class=\"faint\">no values</p>";
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (const auto& [gold, predicted] : points) {
    low = std::min({low, gold, predicted}), high = std::max({high, gold, predicted});
  }
  const double room = 0.03 * (high - low);
  const Frame frame = chart_frame({low - room, high + room}, {low - room, high + room}, false);
  const Axis &x = frame.x, &y = frame.y;
  std::string svg = open_figure(frame, "predicted against gold") + draw_axes(frame, "gold", "predicted");
  svg += fmt::format("<line class=\"diagonal\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                     x.pixel(x.low), y.pixel(x.low), x.pixel(x.high), y.pixel(x.high));
  const size_t stride = (points.size() + kMaxDots - 1) / kMaxDots;
  for (size_t i = 0; i < points.size(); i += stride) {
    const auto& [gold, predicted] = points[i];
    svg += fmt::format(
        "<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"><title>gold {}, predicted "
        "{}</title></circle>",
        x.pixel(gold), y.pixel(predicted), format_value(gold), format_value(predicted));
  }
  svg += "</svg>";
  if (stride > 1)
    svg += fmt::format("<p class=\"faint\">every {}th of {} examples</p>", stride,
                       format_count(static_cast<int64_t>(points.size())));
  return svg;
}

std::string bar_list(const std::vector<std::pair<std::string, double>>& bars, bool counts) {
  double top = 0, sum = 0;
  for (const auto& [name, value] : bars) {
    top = std::max(top, std::abs(value));
    sum += value;
  }
  std::string html = "<div class=\"bars\">";
  for (const auto& [name, value] : bars) {
    const double width = top > 0 ? 100 * std::abs(value) / top : 0;
    const std::string text =
        !counts ? format_value(value)
                : fmt::format("{} <small>{:.1f} %</small>", format_count(static_cast<int64_t>(value)),
                              sum > 0 ? 100 * value / sum : 0);
    html += fmt::format(
        "<span class=\"key\" dir=\"auto\">{}</span><span class=\"track\"><i "
        "style=\"width:{:.2f}%\"></i></span><span class=\"number\">{}</span>",
        escape_html(name), width, text);
  }
  return html + "</div>";
}

}  // namespace sesame
