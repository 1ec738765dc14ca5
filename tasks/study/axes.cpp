#include "tasks/study/axes.h"

#include <fmt/core.h>

#include "tasks/report/svg.h"

namespace sesame {
namespace {

Axis make_axis(Range range, double from, double to, bool whole) {
  if (!(range.low <= range.high)) range = {0, 1};
  if (range.low == range.high) range.low -= 0.5, range.high += 0.5;
  Axis axis{.low = range.low, .high = range.high, .step = 1, .from = from, .to = to};
  const double raw = (range.high - range.low) / (std::abs(to - from) > 400 ? 6 : 5);
  const double magnitude = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {10.0, 5.0, 2.5, 2.0, 1.0}) {
    if (raw <= factor * magnitude * 1.0000001) axis.step = factor * magnitude;
  }
  if (whole) {
    axis.low = std::floor(axis.low / axis.step + 1e-9) * axis.step;
    axis.high = std::ceil(axis.high / axis.step - 1e-9) * axis.step;
  }
  return axis;
}

std::string tick_text(double value, double step) {
  if (std::abs(value) < step * 1e-6) return "0";
  int decimals = 0;
  for (double s = step; decimals < 6 && std::abs(s - std::round(s)) > 1e-6; s *= 10) ++decimals;
  return fmt::format("{:.{}f}", value, decimals);
}

template <class Draw>
void each_tick(const Axis& axis, const Draw& draw) {
  const double first = std::ceil(axis.low / axis.step - 1e-9);
  const int count = static_cast<int>(std::floor(axis.high / axis.step + 1e-6) - first) + 1;
  for (int i = 0; i < std::min(count, 20); ++i) draw((first + i) * axis.step);
}

}  // namespace

Frame make_frame(double width, double height, Range x, Range y) {
  return {width, height, make_axis(x, 64, width - 16, false), make_axis(y, height - 46, 12, true)};
}

Frame make_map_frame(double width, double height, Range x, Range y) {
  return {width, height, make_axis(x, 58, width - 12, false), make_axis(y, height - 46, 24, false),
          true,  false};
}

Frame make_bar_frame(double width, double height, Range x) {
  return {width, height, make_axis(x, 150, width - 16, true), make_axis({0, 1}, height - 46, 8, false),
          false, false};
}

std::string open_figure(const Frame& frame, const std::string& label) {
  return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", frame.width, frame.height,
                     escape_html(label));
}

std::string draw_axes(const Frame& frame, const std::string& x_label, const std::string& y_label) {
  const Axis &x = frame.x, &y = frame.y;
  std::string svg;
  each_tick(y, [&](double tick) {
    if (!frame.ticks) return;
    svg += fmt::format("<line class=\"{0}\" x1=\"{1:.1f}\" x2=\"{2:.1f}\" y1=\"{3:.1f}\" y2=\"{3:.1f}\"/>",
                       frame.grid ? "grid" : "axis", frame.grid ? x.from : x.from - 5,
                       frame.grid ? x.to : x.from, y.pixel(tick));
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", x.from - 8,
                       y.pixel(tick) + 4, tick_text(tick, y.step));
  });
  each_tick(x, [&](double tick) {
    svg += fmt::format("<line class=\"axis\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1:.1f}\" y2=\"{2:.1f}\"/>",
                       x.pixel(tick), y.from, y.from + 5);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", x.pixel(tick),
                       y.from + 18, tick_text(tick, x.step));
  });
  svg += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", x.from,
                     x.to, y.from, y.from);
  svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", (x.from + x.to) / 2,
                     frame.height - 8, escape_html(x_label));
  if (y_label.empty()) return svg;
  return svg +
         fmt::format("<text transform=\"translate(14 {:.1f}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                     (y.from + y.to) / 2, escape_html(y_label));
}

}  // namespace sesame
