#include "tasks/report/svg.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace sesame {

namespace {

constexpr double kWidth = 640, kHeight = 300;
constexpr double kLeft = 64, kRight = 16, kTop = 14, kBottom = 46;
constexpr size_t kMaxPoints = 500;  // drawn per line
constexpr size_t kMaxStrips = 160;  // hover strips per chart
constexpr size_t kDotted = 40;      // lines of at most so many points get dots
constexpr size_t kMaxDots = 3000;   // in a scatter chart
constexpr size_t kColours = 6;

using Points = std::vector<std::pair<double, double>>;

// One axis: data range, round ticks, and the pixels between which it runs.
struct Axis {
  double low = 0, high = 1, step = 0.2, from = 0, to = 1;
  double pixel(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

double round_step(double raw) {
  const double magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (raw <= factor * magnitude * 1.0000001) return factor * magnitude;
  }
  return 10 * magnitude;
}

// Widens to whole steps where `snap`; a constant gets some room around it.
Axis make_axis(double low, double high, double from, double to, bool snap) {
  if (!(high > low)) {
    const double room = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= room;
    high += room;
  }
  Axis axis;
  axis.step = round_step((high - low) / 5);
  axis.low = snap ? std::floor(low / axis.step + 1e-9) * axis.step : low;
  axis.high = snap ? std::ceil(high / axis.step - 1e-9) * axis.step : high;
  axis.from = from;
  axis.to = to;
  return axis;
}

// Counted, not summed up: where the step is lost in rounding a sum would never arrive.
std::vector<double> ticks(const Axis& axis) {
  const double first = std::ceil(axis.low / axis.step - 1e-9);
  const double count = std::min(20.0, std::floor(axis.high / axis.step + 1e-6) - first + 1);
  std::vector<double> values;
  for (int i = 0; i < static_cast<int>(count); ++i) values.push_back((first + i) * axis.step);
  return values;
}

// All ticks of an axis with the same number of decimals; powers of ten where the whole axis is tiny.
std::string tick_text(double value, const Axis& axis) {
  const double size = std::abs(value);
  if (size < axis.step * 1e-6) return "0";
  const double largest = std::max(std::abs(axis.low), std::abs(axis.high));
  if (largest < 5e-3) {
    const double exponent = std::floor(std::log10(size) + 1e-9);
    return fmt::format("{:.3g}e{:.0f}", value / std::pow(10.0, exponent), exponent);
  }
  if (largest >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (largest >= 2e4) return fmt::format("{:.4g}k", value / 1e3);
  int decimals = 0;
  for (double step = axis.step; decimals < 6 && std::abs(step - std::round(step)) > 1e-6; step *= 10)
    ++decimals;
  return fmt::format("{:.{}f}", value, decimals);
}

std::string axes(const Axis& x, const Axis& y, const std::string& x_label, const std::string& y_label) {
  std::string svg;
  for (const double tick : ticks(y)) {
    const double at = y.pixel(tick);
    svg += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                       x.from, at, x.to, at);
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
                       x.from - 8, at + 4, tick_text(tick, y));
  }
  for (const double tick : ticks(x)) {
    const double at = x.pixel(tick);
    svg += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", at,
                       y.from, at, y.from + 5);
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", at,
                       y.from + 18, tick_text(tick, x));
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", x.from,
                     y.from, x.to, y.from);
  svg += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                     (x.from + x.to) / 2, kHeight - 6, escape_html(x_label));
  const double middle = (y.from + y.to) / 2;
  svg += fmt::format(
      "<text class=\"name\" transform=\"translate(13 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
      middle, escape_html(y_label));
  return svg;
}

std::string open_svg(const std::string& label) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", kWidth, kHeight,
                     escape_html(label));
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
  double x_low = HUGE_VAL, x_high = -HUGE_VAL, y_low = HUGE_VAL, y_high = -HUGE_VAL;
  for (const Series& series : curve.series) {
    lines.push_back(finite_points(series.points));
    for (const auto& [step, value] : lines.back()) {
      x_low = std::min(x_low, step), x_high = std::max(x_high, step);
      y_low = std::min(y_low, value), y_high = std::max(y_high, value);
    }
  }
  if (x_low > x_high) return "<p class=\"faint\">no values</p>";
  const Axis x = make_axis(x_low, x_high, kLeft, kWidth - kRight, false);
  const Axis y = make_axis(y_low, y_high, kHeight - kBottom, kTop, true);
  std::string svg = legend(curve) + open_svg(curve.title) + axes(x, y, curve.x_label, curve.y_label);
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
  const Axis x = make_axis(static_cast<double>(low), end, kLeft, kWidth - kRight, false);
  const Axis y = make_axis(0, top, kHeight - kBottom, kTop, true);
  std::string svg = open_svg(x_label) + axes(x, y, x_label, "examples");
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
  const Axis x = make_axis(low - room, high + room, kLeft, kWidth - kRight, false);
  const Axis y = make_axis(low - room, high + room, kHeight - kBottom, kTop, false);
  std::string svg = open_svg("predicted against gold") + axes(x, y, "gold", "predicted");
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
