// The section with the scores of every set.
#include <fmt/core.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/report/svg.h"
#include "tasks/study/page.h"
#include "tasks/study/published.h"

namespace sesame {
namespace {

std::vector<double> scores_of(const StudyResults& runs, const std::string& name) {
  std::vector<double> values;
  for (const OrderedJson& run : runs) {
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

// The rows of one set, one for each score.
std::string rows_of(const std::string& set, const OrderedJson& first, const StudyResults& random,
                    const StudyResults& frozen, const StudyResults& tuned) {
  std::string html;
  for (const auto& [name, value] : first.at("scores").items()) {
    const bool top = html.empty();
    const auto cell = [&, key = name](const StudyResults& runs) {
      return fmt::format("<td class=\"number\">{}</td>", spread_text(spread_of(scores_of(runs, key))));
    };
    const auto train = first.at("train_examples").get<std::int64_t>();
    html +=
        fmt::format("<tr><td>{}</td><td>{}</td>{}{}{}<td>{}</td><td>{}</td></tr>",
                    top ? escape_html(set) : "", escape_html(name), cell(random), cell(frozen), cell(tuned),
                    top ? fmt::format("{} updates, {} of {} examples", json_text(first.at("steps")),
                                      std::min(first.at("examples").get<std::int64_t>(), train), train)
                        : "",
                    top ? escape_html(published_text(first.at("preset"))) : "");
  }
  return html;
}

}  // namespace

StudySection table_section(const StudyResults& table) {
  StudySection section{.title = "Scores of every set", .html = {}, .findings = {}};
  if (table.empty()) return section;
  section.html =
      "<p class=\"read\">How to read it: scores on the whole development data after a short training: from "
      "random weights; from the pretrained ones that stay as they are, with only the head trained on them "
      "(“frozen”; a text is the mean of its tokens); and from the pretrained ones with everything trained. "
      "The "
      "published scores in the last column are of other, mostly larger models with their full training, in "
      "percent, on the split named with each: they say where the way leads, not what this model should "
      "reach.</p>"
      "<div class=\"card scroll\"><table><tr><th>set</th><th>score</th><th class=\"number\">random start</th>"
      "<th class=\"number\">frozen</th><th class=\"number\">full fine-tuning</th><th>trained on</th>"
      "<th>published, other models</th></tr>";
  Comparison better, frozen_above, frozen_below;
  for (const std::string& set : sets_in(table)) {
    const StudyResults tuned = results_of(table, set, "pretrained"),
                       frozen = results_of(table, set, "frozen"), random = results_of(table, set, "random");
    const OrderedJson first = results_of(table, set, "").front();
    const std::string metric = first.at("metric");
    section.html += rows_of(set, first, random, frozen, tuned);
    const Spread a = spread_of(scores_of(tuned, metric)), b = spread_of(scores_of(random, metric)),
                 c = spread_of(scores_of(frozen, metric));
    better.add(set, metric, b, a);
    frozen_above.add(set, metric, b, c);
    frozen_below.add(set, metric, c, a);
  }
  section.html += "</table></div>";
  better.conclude(section.findings,
                  "Across tasks, fine-tuning a pretrained model is better than training the same shape from "
                  "random weights.",
                  kDevlin);
  frozen_above.conclude(section.findings,
                        "Frozen features of a pretrained model are worth more than a random start.", kPeters);
  frozen_below.conclude(section.findings,
                        "For BERT, fine-tuning is better than reading frozen features on most tasks.",
                        kTuneOrNot);
  return section;
}

}  // namespace sesame
