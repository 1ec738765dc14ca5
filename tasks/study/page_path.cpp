// The section on the optimiser's way.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/report/svg.h"
#include "tasks/study/figure.h"
#include "tasks/study/page.h"

namespace sesame {
namespace {

// The plane of the set and start, measured with the same training; nullptr without one.
const OrderedJson* plane_for(const OrderedJson& path, const StudyResults& landscape) {
  for (const OrderedJson& result : landscape) {
    if (result.at("kind") == "solutions" && result.at("set") == path.at("set") &&
        result.at("start") == path.at("start") && result.at("steps") == path.at("steps"))
      return &result;
  }
  return nullptr;
}

// Whether the training loss has come down to half of what it was.
bool learned(const OrderedJson& path) {
  const std::vector<double> losses = numbers_in(path.at("loss"));
  const std::size_t part = std::max<std::size_t>(1, losses.size() / 10);
  double first = 0, last = 0;
  for (std::size_t i = 0; i < part; ++i) first += losses[i], last += losses[losses.size() - 1 - i];
  return last <= first / 2;
}

// How far along the straight way it is when half of the updates are done.
double half_way(const OrderedJson& path) {
  const double half = path.at("steps").get<double>() / 2;
  double x = 0;
  for (const OrderedJson& point : path.at("points")) {
    if (point[0].get<double>() <= half) x = point[1];
  }
  return x;
}

double most_beside(const OrderedJson& path) {
  double most = 0;
  for (const OrderedJson& point : path.at("points")) most = std::max(most, point[3].get<double>());
  return most;
}

}  // namespace

StudySection path_section(const StudyResults& paths, const StudyResults& landscape) {
  StudySection section{.title = "The way of the optimiser", .html = {}, .findings = {}};
  if (paths.empty()) return section;
  section.html =
      "<p class=\"read\">How to read it: the maps are those through the start and two solutions, with the "
      "training "
      "loss; the line shows the weights at even distances of training, projected on the plane. Dots that lie "
      "close "
      "together at the end are the falling learning rate. A path that leads straight into the valley is an "
      "easy one; "
      "how far it runs beside the plane is in the table.</p>";
  std::string numbers;
  std::vector<Verdict> verdicts;
  for (const std::string& set : sets_in(paths)) {
    const StudyResults own = results_of(paths, set, "");
    std::vector<std::vector<double>> values;
    for (const OrderedJson& path : own) {
      if (const OrderedJson* plane = plane_for(path, landscape))
        values.push_back(numbers_in(plane->at("train")));
    }
    std::vector<const std::vector<double>*> all;
    for (const auto& list : values) all.push_back(&list);
    const std::vector<double> levels = contour_levels(all);
    section.html += fmt::format("<h3>{}</h3><div class=\"card\">{}{}<div class=\"maps\">", escape_html(set),
                                contour_legend(levels, "training loss"), plane_marks_legend());
    std::vector<std::vector<std::string>> rows = {{"start", "distance", "length of the path by distance",
                                                   "way done after half of the updates",
                                                   "furthest beside the plane", "second solution at"}};
    std::vector<double> lengths;
    std::size_t next = 0;
    for (const OrderedJson& path : own) {
      const std::string start = path.at("start");
      lengths.push_back(path.at("length"));
      rows.push_back(
          {start, short_number(path.at("unit")), short_number(lengths.back()), short_number(half_way(path)),
           short_number(most_beside(path)),
           fmt::format("({}, {})", short_number(path.at("second")[0]), short_number(path.at("second")[1]))});
      const OrderedJson* plane = plane_for(path, landscape);
      if (plane == nullptr) continue;
      ContourFigure figure{.title = fmt::format("{}: path from a {} start", set, start),
                           .x_label = "0: start, 1: solution",
                           .y_label = "towards the second solution",
                           .x = plane->at("x").get<std::vector<double>>(),
                           .y = plane->at("y").get<std::vector<double>>(),
                           .z = values[next++],
                           .levels = levels,
                           .diamonds = {{1, 0}, {path.at("second")[0], path.at("second")[1]}},
                           .rings = {{0, 0}}};
      for (const OrderedJson& point : path.at("points")) figure.path.emplace_back(point[1], point[2]);
      section.html += fmt::format("<div><h3>{} start</h3>{}</div>", start, contour_figure(figure));
      if (path.at("missed").get<double>() > 1e-6) {
        section.html += fmt::format(
            "<p class=\"faint\">{} start: the repeated training ended {} of the distance from "
            "the solution (other threads or another machine)</p>",
            start, short_number(path.at("missed")));
      }
    }
    section.html += "</div>" + numbers_table(rows) + "</div>";
    if (lengths.size() != 2) continue;
    const bool both = learned(own[0]) && learned(own[1]);
    verdicts.push_back(!both ? Verdict::Mixed : lengths[0] < lengths[1] ? Verdict::Agrees : Verdict::Differs);
    numbers += fmt::format(
        "{}: the path is {} times as long as the straight way, from a random start {} times; "
        "distance {} against {}. ",
        set, short_number(lengths[0]), short_number(lengths[1]), short_number(own[0].at("unit")),
        short_number(own[1].at("unit")));
    if (!both) numbers += "One of them has not come to half of its training loss: the paths do not compare. ";
  }
  if (!verdicts.empty()) {
    section.findings = {
        {"Trajectories show easier optimisation with pre-training (here: the path is the more direct "
         "one).",
         kHao, together(verdicts), numbers}};
  }
  return section;
}

}  // namespace sesame
