// The section on the shape of the loss.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/metrics/regression.h"
#include "tasks/report/svg.h"
#include "tasks/study/figure.h"
#include "tasks/study/loss_surface.h"
#include "tasks/study/page.h"

namespace sesame {
namespace {

StudyResults of_kind(const StudyResults& results, const std::string& kind) {
  StudyResults found;
  for (const OrderedJson& result : results) {
    if (result.at("kind") == kind) found.push_back(result);
  }
  return found;
}

double value_at(const std::vector<double>& x, const std::vector<double>& values, double at) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::abs(x[i] - at) < std::abs(x[best] - at)) best = i;
  }
  return values[best];
}

// --- the line ----------------------------------------------------------------------------------------------

struct Line {
  std::vector<double> x;
  std::vector<std::vector<double>> train, dev;                 // [run][point]
  Spread distance, width, dev_width, own_width, bend, solved;  // solved: training loss of the solution
};

Line line_of(const StudyResults& runs, double level) {
  Line line;
  std::vector<double> distances, widths, dev_widths, own_widths, bends, solved;
  for (const OrderedJson& run : runs) {
    const std::vector<double> x = numbers_in(run.at("x")), train = numbers_in(run.at("train")),
                              dev = numbers_in(run.at("dev"));
    if (!line.x.empty() && x != line.x) continue;  // of a call with other options
    line.x = x;
    line.train.push_back(train);
    if (!dev.empty()) line.dev.push_back(dev);
    distances.push_back(run.at("distance"));
    widths.push_back(basin_width(x, train, level, 1));
    if (!dev.empty()) dev_widths.push_back(basin_width(x, dev, level, 1));
    own_widths.push_back(basin_width(x, train, value_at(x, train, 1) + 0.1, 1));
    bends.push_back(curvature(x, train, 1));
    solved.push_back(value_at(x, train, 1));
  }
  line.distance = spread_of(distances), line.width = spread_of(widths);
  line.dev_width = spread_of(dev_widths), line.own_width = spread_of(own_widths);
  line.bend = spread_of(bends), line.solved = spread_of(solved);
  return line;
}

// The loss to measure widths at: half of what both starts begin with.
double level_of(const StudyResults& lines) {
  double sum = 0;
  for (const OrderedJson& run : lines)
    sum += value_at(numbers_in(run.at("x")), numbers_in(run.at("train")), 0);
  return lines.empty() ? 0 : sum / static_cast<double>(lines.size()) / 2;
}

std::string lines_html(const std::string& set, const std::vector<std::pair<std::string, Line>>& lines,
                       double level) {
  std::string html = "<div class=\"grid2\">";
  for (const bool on_dev : {false, true}) {
    const char* data = on_dev ? "development data" : "training data";
    BandFigure figure{.title = fmt::format("{}: loss along the line, {}", set, data),
                      .x_label = "0: start, 1: solution",
                      .y_label = fmt::format("loss, {}", data),
                      .bands = {},
                      .x_mark = 1,
                      .x_mark_name = "the solution",
                      .most = 6 * level};
    for (const auto& [start, line] : lines) {
      const auto& runs = on_dev ? line.dev : line.train;
      if (!runs.empty()) figure.bands.push_back(band_of(start + " start", line.x, runs));
    }
    if (figure.bands.empty()) continue;
    html += "<div class=\"card\">" + band_figure(figure) + "</div>";
  }
  std::vector<std::vector<std::string>> rows = {
      {"start", "runs", "distance", fmt::format("width at loss {}", short_number(level)), "the same on dev",
       "width 0.1 above the solution", "the same as distance", "curvature", "curvature by distance²"}};
  for (const auto& [start, line] : lines) {
    const double d = line.distance.mean;
    rows.push_back({start, std::to_string(line.train.size()), spread_text(line.distance),
                    spread_text(line.width), spread_text(line.dev_width), spread_text(line.own_width),
                    short_number(line.own_width.mean * d), spread_text(line.bend),
                    short_number(line.bend.mean / (d * d))});
  }
  return html + "</div><div class=\"card\">" + numbers_table(rows) +
         "<p class=\"faint\">Widths are in lengths of the way from start to solution (at most 2, the line "
         "measured) "
         "and, where it says so, in distance between weights; the curvature is the second difference at the "
         "solution.</p></div>";
}

// --- the planes --------------------------------------------------------------------------------------------

struct Plane {
  std::string start;
  OrderedJson result;
  std::vector<double> x, y, train, dev;
  double below = 0, dev_below = 0, pearson = 0, spearman = 0;
};

Plane plane_of(const OrderedJson& result, double level) {
  Plane plane{.start = result.at("start"),
              .result = result,
              .x = numbers_in(result.at("x")),
              .y = numbers_in(result.at("y")),
              .train = numbers_in(result.at("train")),
              .dev = numbers_in(result.at("dev"))};
  plane.below = share_below(plane.train, level), plane.dev_below = share_below(plane.dev, level);
  std::vector<double> a, b;
  for (std::size_t i = 0; i < plane.dev.size(); ++i) {
    if (std::isfinite(plane.train[i]) && std::isfinite(plane.dev[i]))
      a.push_back(plane.train[i]), b.push_back(plane.dev[i]);
  }
  plane.pearson = a.empty() ? std::nan("") : pearson(a, b);
  plane.spearman = a.empty() ? std::nan("") : spearman(a, b);
  return plane;
}

std::string planes_html(const std::string& set, const std::vector<Plane>& planes, bool random, double level) {
  std::vector<const std::vector<double>*> all;
  for (const Plane& plane : planes) all.insert(all.end(), {&plane.train, &plane.dev});
  const std::vector<double> levels = contour_levels(all);
  std::string html = "<div class=\"card\">" + contour_legend(levels, "loss");
  if (!random) html += plane_marks_legend();
  html += "<div class=\"maps\">";
  std::vector<std::vector<std::string>> rows = {
      {"start", "loss at the solution", "on dev",
       fmt::format("share of the plane at loss {} or less", short_number(level)), "on dev",
       "correlation train, dev (Pearson)", "(Spearman)"}};
  for (const Plane& plane : planes) {
    for (const bool on_dev : {false, true}) {
      if (on_dev && plane.dev.empty()) continue;
      ContourFigure figure{.title = fmt::format("{}: {} start, {}", set, plane.start,
                                                on_dev ? "development data" : "training data"),
                           .x_label = random ? "first random direction" : "0: start, 1: solution",
                           .y_label = random ? "second random direction" : "towards the second solution",
                           .x = plane.x,
                           .y = plane.y,
                           .z = on_dev ? plane.dev : plane.train,
                           .levels = levels};
      if (random) {
        figure.diamonds = {{0, 0}};
      } else {
        figure.rings = {{0, 0}};
        figure.diamonds = {{1, 0}, {plane.result.at("second")[0], plane.result.at("second")[1]}};
      }
      html += fmt::format("<div><h3>{} start, {}</h3>{}</div>", plane.start,
                          on_dev ? "development data" : "training data", contour_figure(figure));
    }
    const auto at_solution = [&](const std::vector<double>& z) {
      if (z.empty()) return std::string("-");
      std::vector<double> row(plane.y.size());
      for (std::size_t j = 0; j < row.size(); ++j) {
        row[j] = value_at(plane.x,
                          {z.begin() + static_cast<long>(j * plane.x.size()),
                           z.begin() + static_cast<long>((j + 1) * plane.x.size())},
                          random ? 0 : 1);
      }
      return short_number(value_at(plane.y, row, 0));
    };
    rows.push_back({plane.start, at_solution(plane.train), at_solution(plane.dev),
                    fmt::format("{:.2f}", plane.below),
                    plane.dev.empty() ? "-" : fmt::format("{:.2f}", plane.dev_below),
                    fmt::format("{:.3f}", plane.pearson), fmt::format("{:.3f}", plane.spearman)});
  }
  return html + "</div>" + numbers_table(rows) + "</div>";
}

Verdict larger(double a, double b) {
  return a > b ? Verdict::Agrees : a < b ? Verdict::Differs : Verdict::Mixed;
}

struct Verdicts {
  std::vector<Verdict> wider, flatter, consistent;
  std::string wider_numbers, flatter_numbers, consistent_numbers;
};

void judge_planes(const std::string& set, const std::vector<Plane>& planes, double level, Verdicts& v) {
  if (planes.size() < 2) return;
  const Plane &a = planes[0], &b = planes[1];
  v.wider.push_back(larger(a.below, b.below));
  v.wider_numbers += fmt::format(
      "{}: training loss at most {} on {:.0f} % of the plane of filter-normalised directions, random start "
      "{:.0f} % "
      "(development data {:.0f} and {:.0f} %). ",
      set, short_number(level), 100 * a.below, 100 * b.below, 100 * a.dev_below, 100 * b.dev_below);
}

void judge_consistency(const std::string& set, const std::vector<Plane>& planes, bool learned, Verdicts& v) {
  if (planes.size() < 2) return;
  if (planes[0].dev.empty()) return;
  v.consistent.push_back(learned ? larger(planes[0].pearson, planes[1].pearson) : Verdict::Mixed);
  v.consistent_numbers +=
      fmt::format("{}: correlation {:.3f}, random start {:.3f}. ", set, planes[0].pearson, planes[1].pearson);
}

std::vector<Plane> planes_of(const StudyResults& results, const std::string& kind, double level) {
  std::vector<Plane> planes;
  for (const OrderedJson& result : of_kind(results, kind)) planes.push_back(plane_of(result, level));
  return planes;
}

std::string set_html(const std::string& set, const StudyResults& all, Verdicts& v) {
  const StudyResults runs = of_kind(all, "line");
  const double level = level_of(runs);
  std::vector<std::pair<std::string, Line>> lines;
  for (const char* start : {"pretrained", "random"}) {
    const StudyResults own = results_of(runs, set, start);
    if (!own.empty()) lines.emplace_back(start, line_of(own, level));
  }
  std::string html = fmt::format("<h3>{}</h3>", escape_html(set));
  if (!lines.empty()) html += lines_html(set, lines, level);
  bool learned = true;  // where no solution was found the loss is flat for another reason
  if (lines.size() == 2) {
    const Line &a = lines[0].second, &b = lines[1].second;
    learned = a.solved.high <= level && b.solved.high <= level;
    v.flatter.push_back(learned ? below(a.bend, b.bend) : Verdict::Mixed);
    v.flatter_numbers += fmt::format(
        "{}: curvature {} against {}, width 0.1 above the solution {} against {}. ", set, spread_text(a.bend),
        spread_text(b.bend), spread_text(a.own_width), spread_text(b.own_width));
    if (!learned) {
      v.flatter_numbers += fmt::format(
          "{}: training loss at the end {} and {}, above {}: where nothing was learned yet, flatness says "
          "nothing. ",
          set, spread_text(a.solved), spread_text(b.solved), short_number(level));
    }
  }
  const std::vector<Plane> random = planes_of(all, "random directions", level);
  const std::vector<Plane> solutions = planes_of(all, "solutions", level);
  judge_planes(set, random, level, v);
  judge_consistency(set, solutions, learned, v);
  if (!random.empty()) html += planes_html(set, random, true, level);
  if (!solutions.empty()) html += planes_html(set, solutions, false, level);
  return html;
}

}  // namespace

std::string plane_marks_legend() {
  return "<div class=\"scale\"><span><svg viewBox=\"0 0 14 14\"><circle class=\"from\" cx=\"7\" cy=\"7\" "
         "r=\"5\"/></svg>start</span><span><svg viewBox=\"0 0 14 14\"><path class=\"at\" d=\"M7 1l6 6l-6 "
         "6l-6 "
         "-6z\"/></svg>solutions</span></div>";
}

StudySection landscape_section(const StudyResults& landscape) {
  StudySection section{.title = "The shape of the loss", .html = {}, .findings = {}};
  if (landscape.empty()) return section;
  section.html =
      "<p class=\"read\">How to read it: the curves show the loss when all weights are moved along the "
      "straight line "
      "from the start (0) to the solution (1) and on; a wide, flat valley around 1 is a solution that small "
      "changes "
      "of the weights do not spoil. The maps show the loss on a plane through the weights, strong colour is "
      "low loss: "
      "first around the solution along two random directions that are as long as the weights, filter by "
      "filter (so "
      "models with large and small weights compare), then through the start and two solutions that differ in "
      "the "
      "order of the examples. Where the maps of training and development data look alike, what is good for "
      "one is "
      "good for the other. All are measured on a fixed part of the examples without dropout.</p>";
  Verdicts v;
  for (const std::string& set : sets_in(landscape))
    section.html += set_html(set, results_of(landscape, set, ""), v);
  const auto add = [&](const char* claim, const std::vector<Verdict>& verdicts, const std::string& text) {
    if (!verdicts.empty()) section.findings.push_back({claim, kHao, together(verdicts), text});
  };
  add("Pre-training leads to wider optima.", v.wider, v.wider_numbers);
  add("Fine-tuning ends in flatter regions than training from scratch.", v.flatter, v.flatter_numbers);
  add("The training loss surface is consistent with that of the generalisation error (more so than from "
      "scratch).",
      v.consistent, v.consistent_numbers);
  return section;
}

}  // namespace sesame
