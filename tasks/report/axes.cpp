#include "tasks/report/axes.h"

#include <fmt/core.h>

#include <vector>

#include "tasks/report/svg.h"

namespace sesame {
namespace {

double round_step(double raw) {
  const double magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 2.5, 5.0}) {
    if (raw <= factor * magnitude * 1.0000001) return factor * magnitude;
  }
  return 10 * magnitude;
}

// 1, 2 and 5 times the powers of ten; the powers alone where there are many.
std::vector<double> log_ticks(const Axis& axis) {
  const bool many = axis.high / axis.low > 300;
  std::vector<double> values;
  for (double power = std::pow(10.0, std::floor(std::log10(axis.low))); power <= axis.high; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (many && factor > 1) continue;
      if (factor * power >= axis.low && factor * power <= axis.high) values.push_back(factor * power);
    }
  }
  return values;
}

// Counted, not summed up: where the step is lost in rounding a sum would never arrive.
std::vector<double> ticks(const Axis& axis) {
  if (axis.log) return log_ticks(axis);
  const double first = std::ceil(axis.low / axis.step - 1e-9);
  const double count = std::min(20.0, std::floor(axis.high / axis.step + 1e-6) - first + 1);
  std::vector<double> values;
  for (int i = 0; i < static_cast<int>(count); ++i) values.push_back((first + i) * axis.step);
  return values;
}

std::string large_text(double value) {
  if (value >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  return value >= 1e3 ? fmt::format("{:.4g}k", value / 1e3) : fmt::format("{:.4g}", value);
}

// All ticks of an axis with the same number of decimals; powers of ten where the whole axis is tiny.
std::string tick_text(double value, const Axis& axis) {
  if (axis.log) return large_text(value);
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

std::string draw_y_axis(const Frame& frame) {
  const Axis &x = frame.x, &y = frame.y;
  std::string svg;
  for (const double tick : ticks(y)) {
    const double at = y.pixel(tick);
    svg += fmt::format("<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>",
                       frame.grid ? "grid" : "axis", frame.grid ? x.from : x.from - 5, at,
                       frame.grid ? x.to : x.from, at);
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>",
                       x.from - 8, at + 4, tick_text(tick, y));
  }
  return svg;
}

}  // namespace

Axis make_axis(Range range, double from, double to, bool whole) {
  if (range.empty()) range = {0, 1};
  if (!(range.high > range.low)) {
    const double room = range.low == 0 ? 1 : std::abs(range.low) * 0.1;
    range.low -= room, range.high += room;
  }
  Axis axis{.step = round_step((range.high - range.low) / 5), .from = from, .to = to};
  axis.low = whole ? std::floor(range.low / axis.step + 1e-9) * axis.step : range.low;
  axis.high = whole ? std::ceil(range.high / axis.step - 1e-9) * axis.step : range.high;
  return axis;
}

Axis make_log_axis(Range range, double from, double to) {
  if (range.empty()) range = {1, 10};
  return {.low = range.low / 1.6, .high = range.high * 1.6, .step = 1, .from = from, .to = to, .log = true};
}

std::string open_figure(const Frame& frame, const std::string& label) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", frame.width, frame.height,
                     escape_html(label));
}

std::string draw_axes(const Frame& frame, const std::string& x_label, const std::string& y_label) {
  const Axis &x = frame.x, &y = frame.y;
  std::string svg = frame.ticks ? draw_y_axis(frame) : "";
  for (const double tick : ticks(x)) {
    const double at = x.pixel(tick);
    svg += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", at,
                       y.from, at, y.from + 5);
    svg += fmt::format("<text class=\"tick\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", at,
                       y.from + 18, tick_text(tick, x));
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>", x.from,
                     y.from, x.to, y.from);
  if (!x_label.empty()) {
    svg += fmt::format("<text class=\"name\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>",
                       (x.from + x.to) / 2, frame.height - 6, escape_html(x_label));
  }
  if (y_label.empty()) return svg;
  return svg + fmt::format(
                   "<text class=\"name\" transform=\"translate(13 {:.1f}) rotate(-90)\" "
                   "text-anchor=\"middle\">{}</text>",
                   (y.from + y.to) / 2, escape_html(y_label));
}

}  // namespace sesame
