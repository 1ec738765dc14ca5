#include "tasks/study/page.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/report/report.h"
#include "tasks/report/svg.h"
#include "tasks/study/figure.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", std::localtime(&now));
  return text;
}

}  // namespace

std::vector<std::string> sets_in(const StudyResults& results) {
  std::vector<std::string> names;
  for (const auto& result : results) {
    const std::string name = result.at("set");
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

StudyResults results_of(const StudyResults& results, const std::string& set, const std::string& start) {
  StudyResults found;
  for (const auto& result : results) {
    if (result.at("set") == set && (start.empty() || result.at("start") == start)) found.push_back(result);
  }
  return found;
}

std::vector<double> numbers_in(const OrderedJson& list) {
  std::vector<double> values;
  for (const auto& value : list) values.push_back(value.is_number() ? value.get<double>() : HUGE_VAL);
  return values;
}

std::string write_study_page(const std::string& out, const std::string& model) {
  const auto read = [&](const char* name) { return ResultFile(out, name).all(); };
  const StudyResults landscape = read("landscape");
  const StudySection sections[] = {curves_section(read("curves")),        landscape_section(landscape),
                                   path_section(read("path"), landscape), rollback_section(read("rollback")),
                                   modes_section(read("modes")),          layers_section(read("layers")),
                                   table_section(read("table"))};
  Report report;
  report.title = "Why pre-training works";
  report.subtitle = (model.empty() ? "" : model + ", ") + today();
  std::vector<Finding> findings;
  for (const StudySection& section : sections) {
    findings.insert(findings.end(), section.findings.begin(), section.findings.end());
  }
  const std::string intro =
      "<p class=\"read\">Small runs, repeated here, of the experiments that explain why a pretrained model "
      "is a "
      "better start than a random one. “Agrees” and “does not agree” mean that all runs of one kind lie on "
      "one side of all runs of the other, on every data set; “undecided” is everything else, single runs too "
      "close for the size of the development data included.</p>";
  report.sections.push_back(
      {"Published findings, and what was measured here",
       intro + (findings.empty() ? "<p class=\"faint\">no results yet</p>" : findings_table(findings)),
       kFigureStyle});
  for (const StudySection& section : sections) {
    if (!section.html.empty()) report.sections.push_back({section.title, section.html});
  }
  write_report(out + "/study.html", report);
  return out + "/study.html";
}

}  // namespace sesame
