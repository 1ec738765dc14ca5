// The section on what is trained.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/report/axes.h"
#include "tasks/report/svg.h"
#include "tasks/study/modes.h"
#include "tasks/study/page.h"
#include "tasks/study/point_figure.h"

namespace sesame {
namespace {

constexpr double kClose = 0.98;  // of a score: what counts as close to it

// The runs of one mode on one set.
struct ModeScores {
  std::string name, label, family;
  Spread score, seconds, memory;
  std::int64_t trained = 0, parameters = 0, stored = 0, updates = 0;
  double lr = 0;
};

std::vector<ModeScores> scores_of(const StudyResults& runs) {
  std::vector<ModeScores> modes;
  for (const OrderedJson& run : runs) {
    const std::string name = run.at("mode");
    if (std::any_of(modes.begin(), modes.end(), [&](const ModeScores& m) { return m.name == name; }))
      continue;
    std::vector<double> scores, seconds, memory;
    for (const OrderedJson& other : runs) {
      if (other.at("mode") != name || !other.at("score").is_number()) continue;
      scores.push_back(other.at("score"));
      seconds.push_back(other.at("train_seconds"));
      memory.push_back(other.at("peak_memory_bytes"));
    }
    modes.push_back({.name = name,
                     .label = run.at("label"),
                     .family = run.at("family"),
                     .score = spread_of(scores),
                     .seconds = spread_of(seconds),
                     .memory = spread_of(memory),
                     .trained = run.at("trained"),
                     .parameters = run.at("parameters"),
                     .stored = run.at("stored_bytes"),
                     .updates = run.at("steps"),
                     .lr = run.at("lr")});
  }
  return modes;
}

Spread score_of(const std::vector<ModeScores>& modes, const std::string& name) {
  for (const ModeScores& mode : modes) {
    if (mode.name == name) return mode.score;
  }
  return {};
}

std::string megabytes(double bytes) { return bytes > 0 ? fmt::format("{:.1f}", bytes / 1e6) : "-"; }

std::string figure_of(const std::string& set, const std::string& metric,
                      const std::vector<ModeScores>& modes) {
  PointFigure figure{.title = set + ": score against trained parameters",
                     .x_label = "trained parameters",
                     .y_label = metric,
                     .series = {}};
  for (const char* family : {kAdapters, kTopLayers, kFrozenTrunk, kSmallParts, kPlaces}) {
    PointSeries series{.name = family, .line = family == kAdapters || family == kTopLayers, .points = {}};
    for (const ModeScores& mode : modes) {
      if (mode.family != family || mode.score.count == 0) continue;
      const bool several = mode.score.count > 1;
      series.points.push_back({.x = static_cast<double>(mode.trained),
                               .y = mode.score.mean,
                               .low = several ? mode.score.low : 0,
                               .high = several ? mode.score.high : 0,
                               .label = mode.label,
                               .title = fmt::format("{}: {} {}, {} trained parameters", mode.name, metric,
                                                    spread_text(mode.score), format_count(mode.trained))});
    }
    if (!series.points.empty()) figure.series.push_back(series);
  }
  return point_figure(figure);
}

std::string table_of(const std::string& metric, const std::vector<ModeScores>& modes) {
  std::vector<std::vector<std::string>> rows = {{"trained", metric, "parameters", "of all", "updates",
                                                 "learning rate", "seconds", "stored MB", "peak MB"}};
  for (const ModeScores& mode : modes) {
    rows.push_back({mode.name, spread_text(mode.score), format_count(mode.trained),
                    fmt::format("{:.3g} %", 100 * static_cast<double>(mode.trained) /
                                                static_cast<double>(mode.parameters)),
                    format_count(mode.updates), fmt::format("{:g}", mode.lr),
                    fmt::format("{:.1f}", mode.seconds.mean), megabytes(static_cast<double>(mode.stored)),
                    megabytes(mode.memory.mean)});
  }
  return numbers_table(rows);
}

// The best of a family by its mean.
Spread best_of(const std::vector<ModeScores>& modes, const std::string& family) {
  Spread best;
  for (const ModeScores& mode : modes) {
    if (mode.family == family && mode.score.count > 0 && (best.count == 0 || mode.score.mean > best.mean))
      best = mode.score;
  }
  return best;
}

// What is compared over all sets.
struct ModeFindings {
  Comparison close, above_top, tuned_above, mix_above, upper_above;
  std::vector<Verdict> stable, one_place;
  std::string stable_numbers, one_place_numbers;

  void add(const std::string& set, const std::string& metric, double examples,
           const std::vector<ModeScores>& modes);
  void conclude(std::vector<Finding>& findings) const;
};

void ModeFindings::add(const std::string& set, const std::string& metric, double examples,
                       const std::vector<ModeScores>& modes) {
  const Spread full = score_of(modes, "full"), adapter = score_of(modes, "adapter 64");
  const double margin = full.count > 0 ? sampling_margin(full.mean, examples) : 0;
  if (full.count > 0 && adapter.count > 0) {
    close.verdicts.push_back(close_to(adapter.mean, full.mean, kClose, margin));
    close.numbers += fmt::format("{}: {} {} against {} with everything trained. ", set, metric,
                                 spread_text(adapter), spread_text(full));
  }
  const auto top = std::find_if(modes.begin(), modes.end(), [](const ModeScores& m) {
    return m.family == kTopLayers && m.label == "top 1";
  });
  if (top != modes.end()) above_top.add(set, metric, top->score, adapter, margin);
  tuned_above.add(set, metric, best_of(modes, kFrozenTrunk), full, margin);
  Spread last = score_of(modes, "frozen, mean of tokens");
  if (last.count == 0) last = score_of(modes, "frozen");
  mix_above.add(set, metric, last, score_of(modes, "frozen, mix of layers"), margin);
  upper_above.add(set, metric, score_of(modes, "adapter 64, lower half"),
                  score_of(modes, "adapter 64, upper half"), margin);
  const Spread ahead = score_of(modes, "adapter 64, everywhere"),
               single = score_of(modes, "adapter 64, after feed-forward");
  if (ahead.count > 0 && single.count > 0) {
    one_place.push_back(close_to(single.mean, ahead.mean, kClose, margin));
    one_place_numbers += fmt::format(
        "{}: {} {} after feed-forward alone, {} after attention alone, {} in both. ", set, metric,
        spread_text(single), spread_text(score_of(modes, "adapter 64, after attention")), spread_text(ahead));
  }
  Range sizes;
  for (const char* name : {"adapter 8", "adapter 64", "adapter 256"}) {
    const Spread score = score_of(modes, name);
    if (score.count > 0) sizes.add(score.mean);
  }
  if (sizes.low < sizes.high) {
    stable.push_back(close_to(sizes.low, sizes.high, kClose, margin));
    stable_numbers +=
        fmt::format("{}: {} from {} to {}. ", set, metric, short_number(sizes.low), short_number(sizes.high));
  }
}

void ModeFindings::conclude(std::vector<Finding>& findings) const {
  close.conclude(
      findings,
      "Adapters come close to full fine-tuning with a few percent of its parameters (here: size 64 "
      "at most 2 % of the score below).",
      kHoulsby);
  above_top.conclude(findings, "Adapters are better than training the top layer, with fewer parameters.",
                     kHoulsby);
  if (!stable.empty()) {
    findings.push_back(
        {"The size of the adapter matters little (here: 8, 64 and 256 within 2 % of the score).", kHoulsby,
         together(stable), stable_numbers});
  }
  upper_above.conclude(findings, "Adapters in the upper layers matter more than those in the lower ones.",
                       kHoulsby);
  if (!one_place.empty()) {
    findings.push_back(
        {"One adapter in each layer, after feed-forward, is enough (here: at most 2 % of the "
         "score below both places).",
         kPfeiffer, together(one_place), one_place_numbers});
  }
  tuned_above.conclude(findings, "For BERT, fine-tuning is better than the best reading of frozen features.",
                       kTuneOrNot);
  mix_above.conclude(findings, "A learned mix of all layers is better than the last layer alone.", kPeters);
}

}  // namespace

StudySection modes_section(const StudyResults& modes) {
  StudySection section{.title = "What is trained, and what it costs", .html = {}, .findings = {}};
  if (modes.empty()) return section;
  section.html =
      "<p class=\"read\">How to read it: each point is a way to adapt the pretrained model; farther right "
      "more numbers are trained (each step of the axis is a factor), higher is better, and the best bargain "
      "is upper left. All ways see the same examples once; with a frozen trunk the features are kept, so "
      "that "
      "its head makes ten passes. “By place” has adapters of size 64 only after attention, only after "
      "feed-forward, or only in the lower or upper half of the layers. Seconds and memory are of the "
      "training "
      "on this machine at that time, stored is the folder that tools/train leaves.</p>";
  ModeFindings findings;
  for (const std::string& set : sets_in(modes)) {
    const StudyResults runs = results_of(modes, set, "");
    const std::vector<ModeScores> scores = scores_of(runs);
    const OrderedJson& last = runs.back();
    const std::string metric = last.at("metric");
    section.html += fmt::format(
        "<h3>{}</h3><div class=\"card wide\">{}</div><div class=\"card\">{}<p class=\"faint\">{} training "
        "examples, {} development examples</p></div>",
        escape_html(set), figure_of(set, metric, scores), table_of(metric, scores),
        json_text(last.at("train_examples")), json_text(last.at("dev_examples")));
    findings.add(set, metric, last.at("dev_examples"), scores);
  }
  findings.conclude(section.findings);
  return section;
}

}  // namespace sesame
