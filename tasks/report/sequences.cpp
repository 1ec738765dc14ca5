#include "tasks/report/sequences.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "tasks/metrics/chrf.h"
#include "tasks/metrics/ngrams.h"
#include "tasks/report/svg.h"

namespace sesame {
namespace {

constexpr size_t kPairs = 4'000'000;  // word pairs that are still compared

// Which words of a and b are in their longest common subsequence.
std::pair<std::vector<bool>, std::vector<bool>> common_words(const std::vector<std::string>& a,
                                                             const std::vector<std::string>& b) {
  std::pair<std::vector<bool>, std::vector<bool>> common{std::vector<bool>(a.size()),
                                                         std::vector<bool>(b.size())};
  if (a.size() * b.size() > kPairs) return common;
  const size_t width = b.size() + 1;
  std::vector<int> longest((a.size() + 1) * width, 0);  // of a[i..] and b[j..]
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      longest[i * width + j] = a[i] == b[j]
                                   ? longest[(i + 1) * width + j + 1] + 1
                                   : std::max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    }
  }
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) {
      common.first[i++] = common.second[j++] = true;
    } else if (longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
      ++i;
    } else {
      ++j;
    }
  }
  return common;
}

std::string marked(const std::vector<std::string>& words, const std::vector<bool>& common, const char* mark) {
  std::string html;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string word = escape_html(words[i]);
    html += (i > 0 ? " " : "") + (common[i] ? word : fmt::format("<mark class=\"{}\">{}</mark>", mark, word));
  }
  return html;
}

std::string row(const WrittenExample& example) {
  const std::vector<std::string> wanted = split_white_space(example.references.front()),
                                 given = split_white_space(example.output);
  const auto [in_wanted, in_given] = common_words(wanted, given);
  std::string source;
  for (const std::string& text : example.texts) source += "<p>" + escape_html(text) + "</p>";
  const bool equal = wanted == given;
  return fmt::format(
      "<tr><td class=\"number faint\">{}</td><td class=\"text\">{}</td><td>{}{}</td><td>{}</td></tr>\n",
      example.line, source, marked(wanted, in_wanted, "lost"),
      example.references.size() > 1
          ? fmt::format(" <span class=\"faint\">(1 of {})</span>", example.references.size())
          : "",
      equal ? "<span class=\"same\">=</span>" : marked(given, in_given, "added"));
}

std::string table(const std::string& title, const std::vector<WrittenExample>& examples,
                  const std::vector<size_t>& chosen) {
  std::string html = fmt::format(
      "<h3>{}</h3><div class=\"card scroll\"><table class=\"written\"><tr><th>line</th><th>source</th>"
      "<th>reference</th><th>output</th></tr>\n",
      title);
  for (const size_t i : chosen) html += row(examples[i]);
  return html + "</table></div>\n";
}

std::string heat_map(const AttentionMap& map) {
  constexpr double kCell = 17, kTop = 96, kLeft = 110;
  const double width = kLeft + kCell * static_cast<double>(map.source.size()) + 60,
               height = kTop + kCell * static_cast<double>(map.written.size()) + 8;
  std::string svg = fmt::format(
      "<div class=\"card scroll\"><svg class=\"attention\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "style=\"width:{0:.0f}px\" role=\"img\">",
      width, height);
  for (size_t j = 0; j < map.source.size(); ++j) {
    svg += fmt::format("<text transform=\"translate({:.1f},{:.1f}) rotate(-60)\">{}</text>",
                       kLeft + kCell * (static_cast<double>(j) + 0.7), kTop - 6, escape_html(map.source[j]));
  }
  for (size_t i = 0; i < map.written.size(); ++i) {
    const double y = kTop + kCell * static_cast<double>(i);
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 8,
                       y + kCell * 0.75, escape_html(map.written[i]));
    for (size_t j = 0; j < map.source.size(); ++j) {
      const double weight = map.weights.at(i * map.source.size() + j);
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" class=\"d0\" "
          "fill-opacity=\"{:.3f}\"><title>{} "
          "\u2190 {}: {:.3f}</title></rect>",
          kLeft + kCell * static_cast<double>(j), y, kCell - 1, kCell - 1, std::max(0.04, weight),
          escape_html(map.written[i]), escape_html(map.source[j]), weight);
    }
  }
  return svg + "</svg></div>\n";
}

}  // namespace

ReportSection written_section(const std::vector<WrittenExample>& examples, size_t count) {
  std::vector<size_t> first(std::min(examples.size(), count / 2)), rest;
  std::iota(first.begin(), first.end(), size_t{0});
  std::vector<std::pair<double, size_t>> distances;
  for (size_t i = first.size(); i < examples.size(); ++i) {
    distances.emplace_back(corpus_chrf({examples[i].output}, {examples[i].references}), i);
  }
  std::sort(distances.begin(), distances.end());
  for (const auto& [score, i] : distances) {
    if (rest.size() + first.size() < count && score < 100) rest.push_back(i);
  }
  ReportSection section{.title = "What it writes", .html = table("The first ones", examples, first)};
  if (!rest.empty()) section.html += table("Farthest from their references (chrF)", examples, rest);
  section.css =
      ".written td { min-width: 60px; } .written td:nth-child(n+2) { width: 32%; }\n"
      "mark { background: none; color: inherit; border-radius: 3px; padding: 0 2px; }\n"
      "mark.lost { box-shadow: inset 0 -2px 0 var(--c2); } mark.added { box-shadow: inset 0 -2px 0 "
      "var(--wrong); }\n"
      ".same { color: var(--c2); font-weight: 600; }\n";
  section.html +=
      "<p class=\"faint\">Underlined: words that only the reference has, words that only the output has. "
      "= : output and reference are equal.</p>\n";
  return section;
}

ReportSection attention_section(const std::vector<AttentionMap>& maps) {
  ReportSection section{
      .title = "Where the output looks",
      .html =
          "<p class=\"faint\">Attention of the decoder's last layer, mean over its heads: each "
          "row is a written token, its weights over the source sum to one.</p>\n"};
  section.html += "<div class=\"grid2\">\n";
  for (const AttentionMap& map : maps) section.html += heat_map(map);
  section.html += "</div>\n";
  section.css = ".attention { max-width: none; } .attention text { fill: var(--ink); font-size: 12px; }\n";
  return section;
}

}  // namespace sesame
