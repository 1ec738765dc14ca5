// The section on layers that are set back.
#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/report/svg.h"
#include "tasks/study/figure.h"
#include "tasks/study/page.h"

namespace sesame {
namespace {

struct GroupCosts {
  std::string name;
  Spread score, cost, moved;
};

std::vector<GroupCosts> costs_of(const StudyResults& runs) {
  std::vector<GroupCosts> groups;
  for (std::size_t g = 0; g < runs.back().at("groups").size(); ++g) {
    std::vector<double> scores, costs, moved;
    for (const OrderedJson& run : runs) {
      if (run.at("groups").size() != runs.back().at("groups").size()) continue;
      const OrderedJson& group = run.at("groups")[g];
      if (!group.at("score").is_number() || !run.at("score").is_number())
        continue;  // a correlation with a constant
      scores.push_back(group.at("score"));
      costs.push_back(run.at("score").get<double>() - scores.back());
      moved.push_back(group.at("moved"));
    }
    groups.push_back(
        {runs.back().at("groups")[g].at("name"), spread_of(scores), spread_of(costs), spread_of(moved)});
  }
  return groups;
}

// The layer groups lie between the embeddings and the pooler or the whole trunk.
std::vector<GroupCosts> layers_in(const std::vector<GroupCosts>& groups) {
  std::vector<GroupCosts> layers;
  for (const GroupCosts& group : groups) {
    if (group.name.starts_with("layer")) layers.push_back(group);
  }
  return layers;
}

}  // namespace

StudySection rollback_section(const StudyResults& rollback) {
  StudySection section{.title = "Layers set back to their pretrained values", .html = {}, .findings = {}};
  if (rollback.empty()) return section;
  section.html =
      "<p class=\"read\">How to read it: after fine-tuning, one group of layers at a time gets its "
      "pretrained weights "
      "back while everything else stays tuned; the bar is what the development score loses by it (mean of "
      "the runs, "
      "the thin line reaches from the lowest to the highest). A short bar: these layers were as good for the "
      "task "
      "before.</p>";
  std::vector<Verdict> costs, moves;
  std::string cost_numbers, move_numbers;
  for (const std::string& set : sets_in(rollback)) {
    const StudyResults runs = results_of(rollback, set, "");
    const std::vector<GroupCosts> groups = costs_of(runs);
    const std::string metric = runs.back().at("metric");
    std::vector<double> tuned;
    for (const OrderedJson& run : runs) {
      if (run.at("score").is_number()) tuned.push_back(run.at("score"));
    }
    BarFigure figure{.title = set + ": score lost",
                     .value_label = metric + " lost",
                     .names = {},
                     .series = {metric + " lost"},
                     .values = {{}},
                     .low = {{}},
                     .high = {{}}};
    std::vector<std::vector<std::string>> rows = {{"set back", metric, "lost", "moved in fine-tuning"}};
    rows.push_back({"nothing", spread_text(spread_of(tuned)), "", ""});
    for (const GroupCosts& group : groups) {
      figure.names.push_back(group.name);
      figure.values[0].push_back(group.cost.mean);
      figure.low[0].push_back(group.cost.low);
      figure.high[0].push_back(group.cost.high);
      rows.push_back({group.name, spread_text(group.score), spread_text(group.cost),
                      fmt::format("{:.2f} %", 100 * group.moved.mean)});
    }
    section.html += fmt::format(
        "<h3>{}</h3><div class=\"grid2\"><div class=\"card\">{}</div><div class=\"card\">{}"
        "<p class=\"faint\">{} runs of {} updates, {} development examples; “moved” is the "
        "distance from the pretrained weights as a share of their length</p></div></div>",
        escape_html(set), bar_figure(figure), numbers_table(rows), runs.size(),
        json_text(runs.back().at("steps")), json_text(runs.back().at("dev_examples")));
    const std::vector<GroupCosts> layers = layers_in(groups);
    if (layers.size() < 2) continue;
    const GroupCosts &lower = layers.front(), &upper = layers.back();
    // A hundredth of the score is a few examples: noise.
    costs.push_back(below(lower.cost, upper.cost, 0.01 * spread_of(tuned).mean));
    cost_numbers += fmt::format("{}: {} lost with {} set back, {} with {}. ", set, spread_text(lower.cost),
                                lower.name, spread_text(upper.cost), upper.name);
    moves.push_back(below(lower.moved, upper.moved));
    move_numbers += fmt::format("{}: {} moved by {:.2f} % of their length, {} by {:.2f} %. ", set, lower.name,
                                100 * lower.moved.mean, upper.name, 100 * upper.moved.mean);
  }
  if (costs.empty()) return section;
  section.findings = {
      {"Lower layers are more transferable: set back after fine-tuning they cost less than the upper "
       "ones (here: by more than 1 % of the score).",
       kHao, together(costs), cost_numbers},
      {"Lower layers are more invariant during fine-tuning.", kHao, together(moves), move_numbers}};
  return section;
}

}  // namespace sesame
