#include "tasks/study/findings.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "tasks/report/svg.h"

namespace sesame {
namespace {

int decimals_of(double value) {
  const double size = std::abs(value);
  return size < 10 ? 3 : size < 100 ? 2 : size < 1000 ? 1 : 0;
}

}  // namespace

Spread spread_of(const std::vector<double>& values) {
  Spread spread{.count = values.size()};
  if (values.empty()) return spread;
  for (const double value : values) spread.mean += value / static_cast<double>(values.size());
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  if (values.size() > 1) spread.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  spread.low = *low, spread.high = *high;
  return spread;
}

std::string short_number(double value) {
  if (!std::isfinite(value)) return "-";
  if (value != 0 && std::abs(value) < 0.001) return fmt::format("{:.1e}", value);
  return fmt::format("{:.{}f}", value, decimals_of(value));
}

std::string spread_text(const Spread& spread) {
  if (spread.count == 0) return "-";
  if (spread.count == 1) return short_number(spread.mean);
  // As many decimals as the larger of the two needs.
  const double larger = std::max(std::abs(spread.mean), spread.deviation);
  if (larger > 0 && larger < 0.001) return fmt::format("{:.1e} ± {:.1e}", spread.mean, spread.deviation);
  return fmt::format("{:.{}f} ± {:.{}f}", spread.mean, decimals_of(larger), spread.deviation,
                     decimals_of(larger));
}

Verdict below(const Spread& first, const Spread& second, double margin) {
  if (first.count == 0 || second.count == 0) return Verdict::Mixed;
  if (first.high + margin < second.low) return Verdict::Agrees;
  return first.low > second.high + margin ? Verdict::Differs : Verdict::Mixed;
}

double sampling_margin(double score, double examples) {
  const double unit = score > 1 ? 100 : 1, p = std::clamp(score / unit, 0.0, 1.0);
  return examples > 0 ? unit * 2 * std::sqrt(2 * p * (1 - p) / examples) : 0;
}

Verdict close_to(double score, double reference, double share, double margin) {
  if (score >= share * reference) return Verdict::Agrees;
  return score + margin < share * reference ? Verdict::Differs : Verdict::Mixed;
}

Verdict together(const std::vector<Verdict>& verdicts) {
  if (verdicts.empty()) return Verdict::Mixed;
  for (const Verdict verdict : verdicts) {
    if (verdict != verdicts.front()) return Verdict::Mixed;
  }
  return verdicts.front();
}

void Comparison::add(const std::string& set, const std::string& what, const Spread& low, const Spread& high,
                     double margin) {
  if (low.count == 0 || high.count == 0) return;
  verdicts.push_back(below(low, high, margin));
  numbers += fmt::format("{}: {} {} against {}. ", set, what, spread_text(high), spread_text(low));
}

void Comparison::conclude(std::vector<Finding>& findings, const std::string& claim,
                          const char* source) const {
  if (!verdicts.empty()) findings.push_back({claim, source, together(verdicts), numbers});
}

namespace {

// Numbers of one data set after the other: easier to compare below each other.
std::string line_for_each_sentence(std::string html) {
  for (std::size_t at = html.find(". "); at != std::string::npos && at + 2 < html.size();
       at = html.find(". ", at + 1)) {
    html.replace(at, 2, ".<br>");
  }
  return html;
}

}  // namespace

std::string findings_table(const std::vector<Finding>& findings) {
  std::string html =
      "<div class=\"card scroll\"><table><tr><th>published</th><th>here</th><th>numbers</th></tr>";
  for (const Finding& finding : findings) {
    const char* css = finding.verdict == Verdict::Agrees    ? "agrees"
                      : finding.verdict == Verdict::Differs ? "differs"
                                                            : "mixed";
    const char* word = finding.verdict == Verdict::Agrees    ? "agrees"
                       : finding.verdict == Verdict::Differs ? "does not agree"
                                                             : "undecided";
    html += fmt::format(
        "<tr><td class=\"claim\">{}<br><small class=\"faint\">{}</small></td><td class=\"verdict "
        "{}\">{}</td><td>{}</td></tr>",
        escape_html(finding.claim), escape_html(finding.source), css, word,
        line_for_each_sentence(escape_html(finding.numbers)));
  }
  return html + "</table></div>";
}

std::string numbers_table(const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<div class=\"scroll\"><table class=\"numbers\">";
  for (std::size_t r = 0; r < rows.size(); ++r) {
    html += "<tr>";
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      const char* cell = r == 0 ? "th" : "td";
      html +=
          fmt::format("<{0}{1}>{2}</{0}>", cell, c > 0 ? " class=\"number\"" : "", escape_html(rows[r][c]));
    }
    html += "</tr>";
  }
  return html + "</table></div>";
}

}  // namespace sesame
