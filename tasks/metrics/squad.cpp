#include "tasks/metrics/squad.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "tasks/metrics/python_text.h"

namespace sesame {
namespace {

using Words = std::vector<std::u32string>;

constexpr std::u32string_view kPunctuation = U"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";  // string.punctuation

// re.sub(r"\b(a|an|the)\b", " ", text): whole words of \w only.
std::u32string without_articles(const std::u32string& text) {
  std::u32string rest;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && python_is_word(text[end])) ++end;
    const std::u32string_view word(text.data() + i, end - i);
    if (word.empty()) {
      rest += text[i++];
    } else {
      rest += word == U"a" || word == U"an" || word == U"the" ? std::u32string_view(U" ") : word;
      i = end;
    }
  }
  return rest;
}

Words normal_words(const std::string& text) {
  std::u32string lower = python_lower(to_code_points(text));
  std::erase_if(lower, [](char32_t c) { return kPunctuation.find(c) != kPunctuation.npos; });
  return python_split(without_articles(lower));
}

double words_f1(const Words& predicted, const Words& gold, SquadVersion version) {
  if (version == SquadVersion::v2 && (predicted.empty() || gold.empty())) return predicted == gold;
  std::map<std::u32string, std::int64_t> left;
  for (const std::u32string& word : gold) ++left[word];
  double same = 0;
  for (const std::u32string& word : predicted) same += left[word]-- > 0;
  if (same == 0) return 0;
  const double precision = same / static_cast<double>(predicted.size());
  const double recall = same / static_cast<double>(gold.size());
  return 2 * precision * recall / (precision + recall);
}

// The gold answers that count: 2.0 leaves out those of which nothing is left.
std::vector<Words> gold_words(const SquadItem& item, SquadVersion version) {
  std::vector<Words> all;
  for (const std::string& text : item.gold) all.push_back(normal_words(text));
  if (version == SquadVersion::v2) {
    std::erase_if(all, [](const Words& words) { return words.empty(); });
    if (all.empty()) all.emplace_back();
  }
  return all;
}

bool has_answer(const SquadItem& item) { return !item.gold.empty(); }

// Sums of scores over some of the questions.
struct Mean {
  double exact = 0, f1 = 0;
  std::int64_t count = 0;
  void add(double e, double f) { exact += e, f1 += f, ++count; }
  void put(Metrics& metrics, const std::string& exact_name, const std::string& f1_name) const {
    if (count == 0) return;
    metrics.set(exact_name, 100 * exact / static_cast<double>(count));
    metrics.set(f1_name, 100 * f1 / static_cast<double>(count));
  }
};

}  // namespace

std::string normalize_answer(const std::string& text) {
  std::u32string joined;
  for (const std::u32string& word : normal_words(text)) joined += (joined.empty() ? U"" : U" ") + word;
  return to_utf8(joined);
}

double exact_match(const std::string& predicted, const std::string& gold) {
  return normal_words(predicted) == normal_words(gold);
}

double answer_f1(const std::string& predicted, const std::string& gold, SquadVersion version) {
  return words_f1(normal_words(predicted), normal_words(gold), version);
}

SquadScore score_item(const SquadItem& item, SquadVersion version) {
  SquadScore best;
  if (!item.predicted.has_value()) return best;
  const Words predicted = normal_words(*item.predicted);
  for (const Words& gold : gold_words(item, version)) {
    best.exact = std::max(best.exact, static_cast<double>(predicted == gold));
    best.f1 = std::max(best.f1, words_f1(predicted, gold, version));
  }
  return best;
}

// Begins with "no answer" for every question and takes the answers up one by one, the surest first.
Threshold best_threshold(const std::vector<SquadItem>& items, const std::vector<double>& scores) {
  if (items.empty()) return {};
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return items[a].no_answer < items[b].no_answer; });
  double score = 0;
  for (const SquadItem& item : items) score += !has_answer(item);
  Threshold best{.score = score, .value = items[order[0]].no_answer - 1};
  for (const std::size_t i : order) {
    if (has_answer(items[i])) {
      score += scores[i];
    } else {
      score -= items[i].predicted.has_value() && !items[i].predicted->empty();
    }
    if (score > best.score) best = {.score = score, .value = items[i].no_answer};
  }
  best.score *= 100 / static_cast<double>(items.size());
  return best;
}

Metrics squad_metrics(const std::vector<SquadItem>& items, SquadVersion version,
                      std::optional<double> threshold) {
  Metrics metrics;
  Mean all, with_answer, without;
  std::vector<double> exact, f1;
  for (const SquadItem& item : items) {
    const SquadScore score = score_item(item, version);
    exact.push_back(score.exact), f1.push_back(score.f1);
    const bool refused = threshold.has_value() && item.no_answer > *threshold;
    const double e = refused ? !has_answer(item) : score.exact, f = refused ? !has_answer(item) : score.f1;
    all.add(e, f);
    (has_answer(item) ? with_answer : without).add(e, f);
  }
  all.put(metrics, "exact_match", "f1");
  if (version == SquadVersion::v1 || items.empty()) return metrics;
  with_answer.put(metrics, "HasAns_exact", "HasAns_f1");
  without.put(metrics, "NoAns_exact", "NoAns_f1");
  if (!threshold.has_value()) return metrics;
  const Threshold best_exact = best_threshold(items, exact), best_f1 = best_threshold(items, f1);
  metrics.set("best_exact", best_exact.score);
  metrics.set("best_exact_thresh", best_exact.value);
  metrics.set("best_f1", best_f1.score);
  metrics.set("best_f1_thresh", best_f1.value);
  return metrics;
}

}  // namespace sesame
