#include "tasks/report/report.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "models/io/atomic_file.h"
#include "tasks/report/style.h"
#include "tasks/report/svg.h"

namespace sesame {

namespace {

constexpr size_t kMaxMistakes = 50;
constexpr size_t kMaxMatrix = 16;  // classes up to which the confusion matrix is drawn as one
constexpr size_t kMaxBars = 30;
constexpr size_t kMaxTextBytes = 2000;

using Facts = std::vector<std::pair<std::string, std::string>>;

// The beginning of a long text, cut between code points.
std::string shortened(const std::string& text) {
  if (text.size() <= kMaxTextBytes) return text;
  size_t end = kMaxTextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + " …";
}

std::string facts_table(const Facts& facts) {
  std::string html = "<table class=\"facts\">";
  for (const auto& [name, value] : facts) {
    html += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escape_html(name), escape_html(value));
  }
  return html + "</table>";
}

// Four decimals for fractions, two for percents, so that tiles compare at a glance.
std::string score_text(double value) {
  if (!std::isfinite(value)) return "-";
  return std::abs(value) < 10 ? fmt::format("{:.4f}", value) : fmt::format("{:.2f}", value);
}

std::string score_tiles(const Report& report) {
  std::string html;
  for (const auto& [split, metrics] : report.scores) {
    for (const auto& [name, value] : metrics) {
      html += fmt::format("<div class=\"tile\"><b>{}</b><span>{} {}</span></div>", score_text(value),
                          escape_html(split), escape_html(name));
    }
  }
  return html.empty() ? "" : "<div class=\"tiles\">" + html + "</div>";
}

std::string curve_cards(const Report& report) {
  std::string html;
  for (const Curve& curve : report.curves) {
    html +=
        fmt::format("<div class=\"card\"><h3>{}</h3>{}</div>", escape_html(curve.title), line_chart(curve));
  }
  return html.empty() ? "" : "<h2>Curves</h2><div class=\"grid2\">" + html + "</div>";
}

std::string label_at(const Report& report, size_t index) {
  return index < report.labels.size() ? report.labels[index] : std::to_string(index);
}

std::string matrix_table(const Report& report) {
  std::string html =
      "<div class=\"scroll\"><table class=\"confusion\"><tr><th class=\"row\">gold \\ predicted</th>";
  for (size_t p = 0; p < report.confusion.size(); ++p)
    html += fmt::format("<th>{}</th>", escape_html(label_at(report, p)));
  html += "</tr>";
  for (size_t g = 0; g < report.confusion.size(); ++g) {
    int64_t sum = 0;
    for (const int64_t count : report.confusion[g]) sum += count;
    html += fmt::format("<tr><th class=\"row\">{}</th>", escape_html(label_at(report, g)));
    for (size_t p = 0; p < report.confusion[g].size(); ++p) {
      const int64_t count = report.confusion[g][p];
      const double share = sum > 0 ? static_cast<double>(count) / static_cast<double>(sum) : 0;
      html += fmt::format(
          "<td style=\"background:color-mix(in srgb, var(--{}) {:.0f}%, transparent)\">{}<small>{:.1f} "
          "%</small></td>",
          g == p ? "c0" : "wrong", 6 + 44 * share, format_count(count), 100 * share);
    }
    html += "</tr>";
  }
  return html +
         "</table></div><p class=\"faint\">Shares are of the row: of the examples of that gold label.</p>";
}

// With many classes the matrix is mostly zeros; the largest confusions say more.
std::string confusion_pairs(const Report& report) {
  std::vector<std::pair<int64_t, std::string>> pairs;
  for (size_t g = 0; g < report.confusion.size(); ++g) {
    for (size_t p = 0; p < report.confusion[g].size(); ++p) {
      if (g == p || report.confusion[g][p] == 0) continue;
      pairs.emplace_back(report.confusion[g][p], label_at(report, g) + " taken for " + label_at(report, p));
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  if (pairs.size() > kMaxBars) pairs.resize(kMaxBars);
  std::vector<std::pair<std::string, double>> bars;
  for (const auto& [count, name] : pairs) bars.emplace_back(name, static_cast<double>(count));
  return "<p class=\"faint\">The most frequent confusions.</p>" + bar_list(bars, false);
}

std::string decision_cards(const Report& report) {
  std::string html;
  if (!report.confusion.empty()) {
    const bool small = report.confusion.size() <= kMaxMatrix;
    const bool wide = small && report.confusion.size() > 6;  // takes the whole row of cards
    html += fmt::format("<div class=\"card\"{}><h3>Confusion matrix</h3>",
                        wide ? " style=\"grid-column: 1 / -1\"" : "") +
            (small ? matrix_table(report) : confusion_pairs(report)) + "</div>";
  }
  if (!report.scatter.empty()) {
    html += "<div class=\"card\"><h3>Predicted against gold</h3>" + scatter_chart(report.scatter) + "</div>";
  }
  if (!report.layer_weights.empty()) {
    html += "<div class=\"card\"><h3>Learned layer weights</h3>" + bar_list(report.layer_weights, false) +
            "</div>";
  }
  return html.empty() ? "" : "<h2>Decisions</h2><div class=\"grid2\">" + html + "</div>";
}

std::string mistake_table(const Report& report) {
  if (report.mistakes.empty()) return "";
  const size_t count = std::min(report.mistakes.size(), kMaxMistakes);
  std::string html = fmt::format(
      "<h2>Telling mistakes</h2><div class=\"card scroll\"><table "
      "class=\"mistakes\"><tr><th>text</th><th>gold</th>"
      "<th>predicted</th><th class=\"number\">{}</th><th class=\"number\">line</th></tr>",
      report.regression ? "error" : "confidence");
  for (size_t i = 0; i < count; ++i) {
    const Mistake& mistake = report.mistakes[i];
    html += "<tr><td class=\"text\">";
    for (const std::string& text : mistake.texts)
      html += fmt::format("<p dir=\"auto\">{}</p>", escape_html(shortened(text)));
    html += fmt::format(
        "</td><td class=\"label gold\">{}</td><td class=\"label predicted\">{}</td><td "
        "class=\"number\">{}</td>"
        "<td class=\"number\">{}</td></tr>",
        escape_html(mistake.gold), escape_html(mistake.predicted), fmt::format("{:.3f}", mistake.confidence),
        mistake.line > 0 ? std::to_string(mistake.line) : "");
  }
  return html + "</table></div>";
}

std::string data_cards(const Report& report) {
  std::string html;
  for (const DataSummary& data : report.data) {
    html += fmt::format("<div class=\"card\"><h3>{}</h3><p class=\"faint\">{}</p>{}", escape_html(data.name),
                        escape_html(data.path), facts_table(data.facts));
    std::vector<std::pair<std::string, double>> bars;
    for (const auto& [label, count] : data.label_counts) bars.emplace_back(label, static_cast<double>(count));
    const size_t hidden = bars.size() > kMaxBars ? bars.size() - kMaxBars : 0;
    bars.resize(bars.size() - hidden);
    if (!bars.empty()) html += bar_list(bars, true);
    if (hidden > 0) html += fmt::format("<p class=\"faint\">and {} more labels</p>", hidden);
    html += histogram(data.lengths, "tokens per example") + "</div>";
  }
  return html.empty() ? "" : "<h2>Data</h2><div class=\"grid2\">" + html + "</div>";
}

std::string run_cards(const Report& report) {
  std::string html;
  if (!report.speed.empty())
    html += "<div class=\"card\"><h3>Speed and memory</h3>" + facts_table(report.speed) + "</div>";
  if (!report.options.empty())
    html += "<div class=\"card\"><h3>Options</h3>" + facts_table(report.options) + "</div>";
  return html.empty() ? "" : "<h2>Run</h2><div class=\"grid2\">" + html + "</div>";
}

}  // namespace

void keep_most_telling(std::vector<Mistake>& mistakes, size_t count) {
  // A confidence that is no number goes to the top: NaN has no place in an order.
  const auto key = [](const Mistake& m) { return std::isnan(m.confidence) ? HUGE_VAL : m.confidence; };
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [&](const Mistake& a, const Mistake& b) { return key(a) > key(b); });
  if (mistakes.size() > count) mistakes.resize(count);
}

std::string report_html(const Report& report) {
  // The policy makes sure of "no network": nothing can be fetched and no script can run, whatever the data
  // holds.
  std::string html =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "img-src data:\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><link rel=\"icon\" "
      "href=\"data:,\">";
  std::string style = kReportStyle, sections;
  for (const ReportSection& section : report.sections) {
    style += section.css;
    sections += fmt::format("<h2>{}</h2>{}\n", escape_html(section.title), section.html);
  }
  html += fmt::format("<title>{}</title><style>{}</style></head>\n<body><main><h1>{}</h1>",
                      escape_html(report.title), style, escape_html(report.title));
  if (!report.subtitle.empty()) html += fmt::format("<p class=\"sub\">{}</p>", escape_html(report.subtitle));
  html += score_tiles(report) + "\n" + curve_cards(report) + "\n" + decision_cards(report) + "\n" + sections;
  html += mistake_table(report) + "\n" + data_cards(report) + "\n" + run_cards(report);
  return html + "</main></body></html>\n";
}

void write_report(const std::string& path, const Report& report) {
  write_file_atomic(path, report_html(report));
}

}  // namespace sesame
