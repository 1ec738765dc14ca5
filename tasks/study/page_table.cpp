// The section with the scores of every set.
#include <fmt/core.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tasks/report/svg.h"
#include "tasks/study/page.h"
#include "tasks/study/published.h"

namespace sesame {
namespace {

using Json = nlohmann::ordered_json;

std::vector<double> scores_of(const StudyResults& runs, const std::string& name) {
  std::vector<double> values;
  for (const Json& run : runs) {
    if (run.at("scores").contains(name) && run.at("scores")[name].is_number())
      values.push_back(run.at("scores")[name]);
  }
  return values;
}

std::string published_text(const std::string& preset) {
  std::string text;
  for (const PublishedScore& score : published_scores()) {
    if (preset != score.preset) continue;
    text += fmt::format("{}{}: {} ({}; {})", text.empty() ? "" : " · ", score.model, score.score, score.split,
                        score.source);
  }
  return text.empty() ? "none here" : text;
}

}  // namespace

StudySection table_section(const StudyResults& table) {
  StudySection section{.title = "Scores of every set", .html = {}, .findings = {}};
  if (table.empty()) return section;
  section.html =
      "<p class=\"read\">How to read it: scores on the whole development data after a short training, from "
      "random "
      "weights and from the pretrained ones with everything trained. The published scores in the last column "
      "are of "
      "other, mostly larger models with their full training, in percent, on the split named with each: they "
      "say where "
      "the way leads, not what this model should reach.</p>"
      "<div class=\"card scroll\"><table><tr><th>set</th><th>score</th><th class=\"number\">random start</th>"
      "<th class=\"number\">full fine-tuning</th><th>trained on</th><th>published, other models</th></tr>";
  std::vector<Verdict> verdicts;
  std::string numbers;
  for (const std::string& set : sets_in(table)) {
    const StudyResults tuned = results_of(table, set, "pretrained"),
                       random = results_of(table, set, "random");
    const Json& first = (tuned.empty() ? random : tuned).back();
    const std::string metric = first.at("metric");
    bool top = true;
    for (const auto& [name, value] : first.at("scores").items()) {
      section.html += fmt::format(
          "<tr><td>{}</td><td>{}</td><td class=\"number\">{}</td><td "
          "class=\"number\">{}</td><td>{}</td><td>{}</td></tr>",
          top ? escape_html(set) : "", escape_html(name), spread_text(spread_of(scores_of(random, name))),
          spread_text(spread_of(scores_of(tuned, name))),
          top ? fmt::format("{} updates, {} of {} examples", first.at("steps").dump(),
                            std::min(first.at("examples").get<std::int64_t>(),
                                     first.at("train_examples").get<std::int64_t>()),
                            first.at("train_examples").dump())
              : "",
          top ? escape_html(published_text(first.at("preset"))) : "");
      top = false;
    }
    const Spread a = spread_of(scores_of(tuned, metric)), b = spread_of(scores_of(random, metric));
    if (a.count == 0 || b.count == 0) continue;
    verdicts.push_back(below(b, a));
    numbers += fmt::format("{}: {} {} against {}. ", set, metric, spread_text(a), spread_text(b));
  }
  section.html += "</table></div>";
  if (!verdicts.empty()) {
    section.findings = {
        {"Across tasks, fine-tuning a pretrained model is better than training the same shape from "
         "random weights.",
         kDevlin, together(verdicts), numbers}};
  }
  return section;
}

}  // namespace sesame
