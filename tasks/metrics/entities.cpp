#include "tasks/metrics/entities.h"

#include <algorithm>

#include "autograd/check.h"

namespace sesame {
namespace {

bool is_outside(char prefix) { return prefix == 'O'; }

// Whether an entity ends between two neighbours. O has a type of its own, so leaving an entity for it is a
// change of type unless the entity has none.
bool ends(const TagParts& last, const TagParts& now) {
  if (last.prefix == 'E' || last.prefix == 'S') return true;
  if ((last.prefix == 'B' || last.prefix == 'I') &&
      (now.prefix == 'B' || now.prefix == 'S' || now.prefix == 'O')) {
    return true;
  }
  return !is_outside(last.prefix) && last.type != now.type;
}

// Whether an entity begins at `now`.
bool begins(const TagParts& last, const TagParts& now) {
  if (now.prefix == 'B' || now.prefix == 'S') return true;
  const bool closed = last.prefix == 'E' || last.prefix == 'S' || last.prefix == 'O';
  if (closed && (now.prefix == 'E' || now.prefix == 'I')) return true;
  return !is_outside(now.prefix) && last.type != now.type;
}

double ratio(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

void check_same_words(const TagLists& gold, const TagLists& predicted) {
  SESAME_CHECK(gold.size() == predicted.size(), "tag_metrics", "{} sentences of tags for {} sentences",
               predicted.size(), gold.size());
  for (std::size_t i = 0; i < gold.size(); ++i) {
    SESAME_CHECK(gold[i].size() == predicted[i].size(), "tag_metrics", "sentence {}: {} tags for {} words",
                 i + 1, predicted[i].size(), gold[i].size());
  }
}

}  // namespace

TagParts split_tag(std::string_view tag) {
  const std::size_t dash = tag.find('-');
  const std::string_view prefix = tag.substr(0, dash);
  TagParts parts{prefix.size() == 1 ? prefix[0] : '?', "_"};
  if (dash != std::string_view::npos && dash + 1 < tag.size()) parts.type = tag.substr(dash + 1);
  if (parts.prefix == 'L') parts.prefix = 'E';
  if (parts.prefix == 'U') parts.prefix = 'S';
  return parts;
}

std::vector<Entity> find_entities(const std::vector<std::string>& tags) {
  std::vector<Entity> entities;
  TagParts last{'O', ""};
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    const TagParts now = i < tags.size() ? split_tag(tags[i]) : TagParts{'O', "_"};
    if (ends(last, now)) entities.push_back({std::string(last.type), begin, i});
    if (begins(last, now)) begin = i;
    last = now;
  }
  return entities;
}

double EntityCounts::precision() const { return ratio(correct, predicted); }
double EntityCounts::recall() const { return ratio(correct, gold); }
double EntityCounts::f1() const { return ratio(2 * correct, gold + predicted); }

std::map<std::string, EntityCounts> count_entities(const TagLists& gold, const TagLists& predicted) {
  check_same_words(gold, predicted);
  std::map<std::string, EntityCounts> counts;
  for (std::size_t i = 0; i < gold.size(); ++i) {
    std::vector<Entity> right = find_entities(gold[i]), found = find_entities(predicted[i]), both;
    for (const Entity& e : right) ++counts[e.type].gold;
    for (const Entity& e : found) ++counts[e.type].predicted;
    std::sort(right.begin(), right.end());
    std::sort(found.begin(), found.end());
    std::set_intersection(right.begin(), right.end(), found.begin(), found.end(), std::back_inserter(both));
    for (const Entity& e : both) ++counts[e.type].correct;
  }
  return counts;
}

Metrics tag_metrics(const TagLists& gold, const TagLists& predicted, bool entities) {
  check_same_words(gold, predicted);
  std::int64_t words = 0, right = 0;
  for (std::size_t i = 0; i < gold.size(); ++i) {
    words += static_cast<std::int64_t>(gold[i].size());
    for (std::size_t j = 0; j < gold[i].size(); ++j) right += gold[i][j] == predicted[i][j];
  }
  Metrics metrics;
  metrics.set("word_accuracy", ratio(right, words));
  if (!entities) return metrics;
  const std::map<std::string, EntityCounts> counts = count_entities(gold, predicted);
  EntityCounts all;
  for (const auto& [type, c] : counts) {
    all.gold += c.gold;
    all.predicted += c.predicted;
    all.correct += c.correct;
  }
  metrics.set("entity_f1", all.f1());
  metrics.set("entity_precision", all.precision());
  metrics.set("entity_recall", all.recall());
  for (const auto& [type, c] : counts) metrics.set("f1_" + type, c.f1());
  return metrics;
}

}  // namespace sesame
