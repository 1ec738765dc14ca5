#include "tasks/report/tagged_text.h"

#include <fmt/core.h>

#include <algorithm>

#include "tasks/metrics/entities.h"
#include "tasks/report/svg.h"

namespace sesame {
namespace {

constexpr std::size_t kWords = 120;  // of a long sentence, so many are shown
constexpr std::size_t kBefore = 20;  // so many of them before its first mistake

constexpr const char* kTaggedStyle = R"css(
.tagged { line-height: 1.35; margin: 0 0 14px; padding-bottom: 10px; border-bottom: 1px solid var(--rule); }
.legend + .faint { margin-bottom: 14px; }
.tagged:last-child { border-bottom: 0; margin-bottom: 0; }
.tagged .n { color: var(--faint); font-size: 12px; margin-right: 8px; font-variant-numeric: tabular-nums; }
.w { display: inline-block; vertical-align: top; text-align: center; margin: 0 3px 4px 0; padding: 1px 4px 2px;
  border-radius: 5px; border: 1px solid transparent; }
.w i { display: block; font-style: normal; font-size: 11px; color: var(--faint); line-height: 1.2; }
.w i.gold { color: var(--c2); } .w i.predicted { color: var(--wrong); text-decoration: line-through; }
.w.bad { border-color: var(--wrong); }
.k0 { --k: var(--c0); } .k1 { --k: var(--c1); } .k2 { --k: var(--c2); } .k3 { --k: var(--c3); }
.k4 { --k: var(--c4); } .k5 { --k: var(--c5); }
.w[class*=" k"] { background: color-mix(in srgb, var(--k) 20%, transparent); }
)css";

// " k3" for the place of a tag's type among the types, "" where it is not one of them.
std::string colour(const std::string& tag, const std::vector<std::string>& types) {
  auto found = std::find(types.begin(), types.end(), tag);
  if (found == types.end() && tag != "O") {
    found = std::find(types.begin(), types.end(), std::string(split_tag(tag).type));
  }
  if (found == types.end()) return "";
  return fmt::format(" k{}", static_cast<std::size_t>(found - types.begin()) % kColours);
}

std::string word_html(const TaggedText& text, std::size_t w, const std::vector<std::string>& types) {
  const std::string &gold = text.gold[w], &predicted = text.predicted[w];
  const bool right = gold == predicted;
  const std::string tint = colour(predicted, types);
  std::string html = fmt::format("<span class=\"w{}{}\" title=\"{}\">{}", right ? "" : " bad", tint,
                                 escape_html(right ? gold : "gold " + gold + ", predicted " + predicted),
                                 escape_html(text.words[w]));
  if (!right) {
    html += fmt::format("<i class=\"predicted\">{}</i><i class=\"gold\">{}</i>", escape_html(predicted),
                        escape_html(gold));
  } else if (!tint.empty()) {
    html += fmt::format("<i>{}</i>", escape_html(gold));
  }
  return html + "</span>";
}

std::string sentence_html(const TaggedText& text, const std::vector<std::string>& types) {
  std::size_t first = 0, end = text.words.size();
  if (end > kWords) {
    std::size_t mistake = 0;
    while (mistake < end && text.gold[mistake] == text.predicted[mistake]) ++mistake;
    first = mistake < end && mistake > kBefore ? std::min(mistake - kBefore, end - kWords) : 0;
    end = first + kWords;
  }
  std::string html = "<p class=\"tagged\" dir=\"auto\">";
  if (text.line > 0) html += fmt::format("<span class=\"n\">{}</span>", text.line);
  if (first > 0) html += "… ";
  for (std::size_t w = first; w < end; ++w) html += word_html(text, w, types);
  return html + (end < text.words.size() ? " …</p>" : "</p>");
}

}  // namespace

ReportSection tagged_text_section(std::vector<TaggedText> sentences, const std::vector<std::string>& types,
                                  std::size_t count) {
  std::stable_sort(sentences.begin(), sentences.end(),
                   [](const TaggedText& a, const TaggedText& b) { return a.telling > b.telling; });
  if (sentences.size() > count) sentences.resize(count);
  std::string html = "<p class=\"legend\">";
  for (std::size_t i = 0; i < types.size(); ++i) {
    html += fmt::format("<span><i class=\"b{}\"></i>{}</span>", i % kColours, escape_html(types[i]));
  }
  html +=
      "</p><p class=\"faint\">A framed word is wrong: struck out the tag it got, in green the right one. The "
      "surest mistakes come first; the number is the line of the sentence.</p>";
  for (const TaggedText& sentence : sentences) html += sentence_html(sentence, types);
  return {"Tagged sentences", "<div class=\"card\">" + html + "</div>", kTaggedStyle};
}

ReportSection tag_scores_section(const std::string& title, const std::vector<TagScore>& rows) {
  std::string html =
      "<div class=\"card scroll\"><table><tr><th></th><th class=\"number\">F1</th><th "
      "class=\"number\">precision</th>"
      "<th class=\"number\">recall</th><th class=\"number\">gold</th><th class=\"number\">predicted</th>"
      "<th class=\"number\">right</th></tr>";
  for (const TagScore& row : rows) {
    html += fmt::format("<tr><td>{}</td>", escape_html(row.name));
    for (const double value : {row.f1, row.precision, row.recall}) {
      html += fmt::format("<td class=\"number\">{:.4f}</td>", value);
    }
    for (const std::int64_t value : {row.gold, row.predicted, row.correct}) {
      html += fmt::format("<td class=\"number\">{}</td>", format_count(value));
    }
    html += "</tr>";
  }
  return {title, html + "</table></div>"};
}

}  // namespace sesame
