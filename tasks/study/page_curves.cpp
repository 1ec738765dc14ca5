// The section on training curves.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/report/svg.h"
#include "tasks/study/figure.h"
#include "tasks/study/page.h"

namespace sesame {
namespace {

// The curves of one set from one start.
struct Group {
  std::string start;
  std::vector<std::vector<double>> losses, scores;  // smoothed; [run][step], [run][evaluation]
  std::vector<double> steps, score_steps;
  Spread area, last_score, dropped, halved;  // mean loss, score, best minus last, first update at half
};

// Mean over a window around each; the loss of a single update jumps with its examples.
std::vector<double> smoothed(const std::vector<double>& values) {
  const auto size = static_cast<std::ptrdiff_t>(values.size());
  const std::ptrdiff_t half = std::max<std::ptrdiff_t>(1, size / 30);
  std::vector<double> result;
  for (std::ptrdiff_t i = 0; i < size; ++i) {
    double sum = 0;
    const std::ptrdiff_t first = std::max<std::ptrdiff_t>(0, i - half), last = std::min(size - 1, i + half);
    for (std::ptrdiff_t k = first; k <= last; ++k) sum += values[static_cast<std::size_t>(k)];
    result.push_back(sum / static_cast<double>(last - first + 1));
  }
  return result;
}

// The first update at which the loss is half of `from`; one more than there are where it never is.
double first_at_half(const std::vector<double>& losses, double from) {
  const auto at = std::find_if(losses.begin(), losses.end(), [&](double v) { return v <= from / 2; });
  return static_cast<double>(at - losses.begin()) + 1;
}

// Runs of other lengths (an earlier call with another budget) do not fit into one mean.
StudyResults alike(const StudyResults& runs) {
  StudyResults result;
  for (const OrderedJson& run : runs) {
    if (run.at("steps") == runs.back().at("steps") &&
        run.at("score").size() == runs.back().at("score").size())
      result.push_back(run);
  }
  return result;
}

Group group_of(const StudyResults& all, const std::string& start) {
  Group group{.start = start};
  const StudyResults runs = alike(all);
  std::vector<double> areas, scores, drops, halves;
  for (const OrderedJson& run : runs) {
    const std::vector<double> losses = numbers_in(run.at("loss"));
    double sum = 0;
    for (const double loss : losses) sum += loss;
    areas.push_back(sum / static_cast<double>(losses.size()));
    group.losses.push_back(smoothed(losses));
    halves.push_back(first_at_half(group.losses.back(), group.losses.back().front()));
    std::vector<double> curve;
    for (const OrderedJson& point : run.at("score")) {
      curve.push_back(point[1].is_number() ? point[1].get<double>() : std::nan(""));
    }
    group.scores.push_back(curve);
    scores.push_back(curve.back());
    const double best = *std::max_element(curve.begin(), curve.end());
    drops.push_back(best > 0 ? (best - curve.back()) / best : 0);
    if (group.steps.empty()) {
      for (std::size_t i = 0; i < losses.size(); ++i) group.steps.push_back(static_cast<double>(i + 1));
      for (const OrderedJson& point : run.at("score")) group.score_steps.push_back(point[0]);
    }
  }
  group.area = spread_of(areas), group.last_score = spread_of(scores);
  group.dropped = spread_of(drops), group.halved = spread_of(halves);
  return group;
}

std::string halved_text(const Group& group) {
  const auto steps = static_cast<double>(group.steps.size());
  if (group.halved.low > steps) return "never";
  return spread_text(group.halved) + (group.halved.high > steps ? " (not in all runs)" : "");
}

std::string set_html(const std::string& set, const std::string& metric, const std::vector<Group>& groups,
                     const OrderedJson& first) {
  BandFigure loss{
      .title = set + ": training loss", .x_label = "update", .y_label = "training loss", .bands = {}};
  BandFigure score{.title = set + ": development score", .x_label = "update", .y_label = metric, .bands = {}};
  std::vector<std::vector<std::string>> rows = {{"start", "runs", "mean training loss",
                                                 "updates to half the loss", "last " + metric,
                                                 "lost since the best"}};
  for (const Group& g : groups) {
    loss.bands.push_back(band_of(g.start + " start", g.steps, g.losses));
    score.bands.push_back(band_of(g.start + " start", g.score_steps, g.scores));
    rows.push_back({g.start, std::to_string(g.losses.size()), spread_text(g.area), halved_text(g),
                    spread_text(g.last_score), fmt::format("{:.1f} %", 100 * g.dropped.mean)});
  }
  return fmt::format(
      "<h3>{}</h3><div class=\"grid2\"><div class=\"card\">{}</div><div class=\"card\">{}</div></div>"
      "<div class=\"card\">{}<p class=\"faint\">{} training examples, {} updates of {}, learning "
      "rate {}; scores on {} development examples</p></div>",
      escape_html(set), band_figure(loss), band_figure(score), numbers_table(rows),
      json_text(first.at("train_examples")), json_text(first.at("steps")), json_text(first.at("batch_size")),
      json_text(first.at("lr")), json_text(first.at("dev_examples")));
}

}  // namespace

StudySection curves_section(const StudyResults& curves) {
  StudySection section{
      .title = "Training from pretrained and from random weights", .html = {}, .findings = {}};
  if (curves.empty()) return section;
  section.html =
      "<p class=\"read\">How to read it: each line is the mean of the runs from one start, the band reaches "
      "from "
      "the lowest to the highest of them (runs differ in fresh weights, order and dropout). Left the loss on "
      "the "
      "examples of each update, smoothed; right the score on the development data. A line that falls earlier "
      "learns faster; a score that falls towards the end is overfitting.</p>";
  std::vector<Verdict> easier, better, robust;
  std::string easier_numbers, better_numbers, robust_numbers;
  for (const std::string& set : sets_in(curves)) {
    std::vector<Group> groups;
    for (const char* start : {"pretrained", "random"}) {
      const StudyResults runs = results_of(curves, set, start);
      if (!runs.empty()) groups.push_back(group_of(runs, start));
    }
    const OrderedJson first = results_of(curves, set, "").back();
    const std::string metric = first.at("metric");
    section.html += set_html(set, metric, groups, first);
    if (groups.size() < 2) continue;
    const Group &a = groups[0], &b = groups[1];
    easier.push_back(below(a.area, b.area));
    easier_numbers +=
        fmt::format("{}: mean training loss {} against {}, updates to half of it {} against {}. ", set,
                    spread_text(a.area), spread_text(b.area), halved_text(a), halved_text(b));
    better.push_back(below(b.last_score, a.last_score));
    better_numbers += fmt::format("{}: {} {} against {}. ", set, metric, spread_text(a.last_score),
                                  spread_text(b.last_score));
    robust.push_back(a.dropped.high <= 0.02 ? Verdict::Agrees
                     : a.dropped.low > 0.02 ? Verdict::Differs
                                            : Verdict::Mixed);
    robust_numbers += fmt::format("{}: {:.1f} % of the best score lost at the end (random start {:.1f} %). ",
                                  set, 100 * a.dropped.mean, 100 * b.dropped.mean);
  }
  if (easier.empty()) return section;
  section.findings = {
      {"Pre-training makes optimisation easier and convergence faster than training from scratch.", kHao,
       together(easier), easier_numbers},
      {"Fine-tuned models reach better scores than models trained from random weights.", kDevlin,
       together(better), better_numbers},
      {"Fine-tuning is robust to overfitting: longer training does not spoil the score (here: at most 2 % of "
       "the "
       "best is lost).",
       kHao, together(robust), robust_numbers}};
  return section;
}

}  // namespace sesame
