#include "tasks/report/answers.h"

#include <fmt/core.h>

#include <algorithm>

#include "tasks/metrics/python_text.h"
#include "tasks/report/svg.h"

namespace sesame {
namespace {

constexpr std::size_t kMistakesShown = 30, kRightShown = 8;
constexpr std::size_t kAround = 160;  // characters shown on each side of a mark

constexpr const char* kAnswersStyle = R"css(
.answer { border-bottom: 1px solid var(--rule); padding: 12px 0; } .answer:last-child { border-bottom: 0; }
.answer p { margin: 0 0 4px; white-space: pre-wrap; overflow-wrap: anywhere; } .answer .q { font-weight: 600; }
mark { color: inherit; border-radius: 3px; padding: 0 2px; }
mark.g { background: color-mix(in srgb, var(--c2) 22%, transparent); border-bottom: 2px solid var(--c2); }
mark.p { background: color-mix(in srgb, var(--wrong) 22%, transparent); border-bottom: 2px dashed var(--wrong); }
mark.gp { background: color-mix(in srgb, var(--c0) 26%, transparent); border-bottom: 2px solid var(--c0); }
)css";

enum Mark : std::uint8_t { kGold = 1, kPredicted = 2 };

std::string escaped(std::u32string_view text) { return escape_html(to_utf8(text)); }

// A run without marks, shortened where it is far from one: `head` and `tail` characters are kept.
std::string plain_run(std::u32string_view run, std::size_t head, std::size_t tail) {
  if (run.size() <= head + tail + 8) return escaped(run);
  std::size_t end = head, begin = run.size() - tail;  // cut between words where one ends nearby
  while (end > 0 && end + 20 > head && !python_is_space(run[end])) --end;
  while (begin < run.size() && begin < run.size() - tail + 20 && !python_is_space(run[begin - 1])) ++begin;
  return escaped(run.substr(0, end)) + " … " + escaped(run.substr(begin));
}

// The document with its marks; letters that are gold and predicted get one of their own.
std::string marked_text(const AnswerRow& row) {
  const std::u32string text = to_code_points(row.document);
  std::vector<std::uint8_t> marks(text.size(), 0);
  const auto set = [&](const TextRange& range, Mark mark) {
    for (std::int64_t i = std::max<std::int64_t>(range.first, 0);
         i < range.second && i < static_cast<std::int64_t>(text.size()); ++i) {
      marks[static_cast<std::size_t>(i)] |= mark;
    }
  };
  for (const TextRange& range : row.gold) set(range, kGold);
  set(row.predicted, kPredicted);
  std::string html;
  for (std::size_t begin = 0, end = 0; begin < text.size(); begin = end) {
    while (end < text.size() && marks[end] == marks[begin]) ++end;
    const std::u32string_view run(text.data() + begin, end - begin);
    if (marks[begin] == 0) {
      const bool alone = run.size() == text.size();
      html += plain_run(run, begin == 0 && !alone ? 0 : kAround, end == text.size() ? 0 : kAround);
    } else {
      const char* names[] = {"", "g", "p", "gp"};
      html += fmt::format("<mark class=\"{}\">{}</mark>", names[marks[begin]], escaped(run));
    }
  }
  return html;
}

std::string row_html(const AnswerRow& row) {
  std::string html = "<div class=\"answer\">";
  if (!row.question.empty())
    html += fmt::format("<p class=\"q\" dir=\"auto\">{}</p>", escape_html(row.question));
  html += fmt::format("<p dir=\"auto\">{}</p><p class=\"faint\">F1 {:.2f}, score {:.3f}", marked_text(row),
                      row.f1, row.score);
  if (row.gold.empty()) html += ", has no answer";
  if (row.predicted.first < 0) html += ", none predicted";
  return html + fmt::format(" · {}</p></div>", escape_html(row.where));
}

void table_row(std::string& html, const char* name, std::size_t count, const Metrics& plain,
               const Metrics& tuned, const std::string& exact, const std::string& f1) {
  if (!plain.has(exact)) return;
  html += fmt::format("<tr><td>{}</td><td>{}</td>", name, format_count(static_cast<std::int64_t>(count)));
  for (const Metrics* metrics : {&plain, &tuned}) {
    html += fmt::format("<td>{:.2f}</td><td>{:.2f}</td>", metrics->at(exact), metrics->at(f1));
  }
  html += "</tr>";
}

}  // namespace

ReportSection answers_section(std::vector<AnswerRow> rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const AnswerRow& a, const AnswerRow& b) {
    return a.score * (1 - a.f1) > b.score * (1 - b.f1);
  });
  std::string html =
      "<div class=\"card\"><div class=\"legend\"><span><mark class=\"gp\">predicted and gold</mark></span>"
      "<span><mark class=\"p\">predicted only</mark></span><span><mark class=\"g\">gold "
      "only</mark></span></div>";
  std::size_t wrong = 0, right = 0;
  for (const AnswerRow& row : rows) {
    std::size_t& count = row.f1 < 1 ? wrong : right;
    if (count++ < (row.f1 < 1 ? kMistakesShown : kRightShown)) html += row_html(row);
  }
  html += fmt::format(
      "<p class=\"faint\">{} answers are right word for word, {} are not. Shown are the surest of those that "
      "are not, then some that are right.</p></div>",
      format_count(static_cast<std::int64_t>(right)), format_count(static_cast<std::int64_t>(wrong)));
  return {.title = "Answers in their documents", .html = std::move(html), .css = kAnswersStyle};
}

ReportSection no_answer_section(const std::vector<SquadItem>& items, double threshold) {
  const Metrics plain = squad_metrics(items, SquadVersion::v2, 0.0);
  const Metrics tuned = squad_metrics(items, SquadVersion::v2, threshold);
  const auto unanswered = static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [](const SquadItem& item) { return item.gold.empty(); }));
  std::string html = fmt::format(
      "<div class=\"card scroll\"><table><tr><th>questions</th><th></th><th>exact, threshold "
      "0</th><th>F1</th>"
      "<th>exact, threshold {:.3f}</th><th>F1</th></tr>",
      threshold);
  table_row(html, "all", items.size(), plain, tuned, "exact_match", "f1");
  table_row(html, "with an answer", items.size() - unanswered, plain, tuned, "HasAns_exact", "HasAns_f1");
  table_row(html, "without an answer", unanswered, plain, tuned, "NoAns_exact", "NoAns_f1");
  html +=
      "</table><p class=\"faint\">\"No answer\" is given where its score is ahead of the best span's by more "
      "than the "
      "threshold, which was chosen for the best F1 on these very questions.</p></div>";
  return {.title = "Questions with and without an answer", .html = std::move(html)};
}

}  // namespace sesame
