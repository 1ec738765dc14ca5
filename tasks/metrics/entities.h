// Scores of tagged sentences: words that are right, and entities as seqeval (default mode) and conlleval
// count them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/metrics/metrics.h"

namespace sesame {

// Tags of sentences, one for each word.
using TagLists = std::vector<std::vector<std::string>>;

// "B-PER" -> {'B', "PER"}; "O" -> {'O', "_"}; a tag without type ("B") has type "_". A prefix of more than
// one letter
// ("NP-B") opens and closes nothing by itself ('?'); only its type counts, as in conlleval. L and U (BILOU)
// are read as E and S.
struct TagParts {
  char prefix = 'O';
  std::string_view type;
};
TagParts split_tag(std::string_view tag);

// Words [begin, end) of one sentence.
struct Entity {
  std::string type;
  std::size_t begin = 0, end = 0;
  auto operator<=>(const Entity&) const = default;
};
// In order. Odd sequences are read leniently: an I- without B- opens an entity, and so does a change of type
// (seqeval's get_entities, conlleval's rules).
std::vector<Entity> find_entities(const std::vector<std::string>& tags);

struct EntityCounts {
  std::int64_t gold = 0, predicted = 0, correct = 0;
  double precision() const;  // 0 where nothing was predicted
  double recall() const;     // 0 where there is nothing to find
  double f1() const;
};
// By type; types of both sides.
std::map<std::string, EntityCounts> count_entities(const TagLists& gold, const TagLists& predicted);

// word_accuracy over all words; with entities also entity_f1, entity_precision, entity_recall (micro
// averages) and f1_<TYPE> for each type. Throws Error when the two sides differ in sentences or words.
Metrics tag_metrics(const TagLists& gold, const TagLists& predicted, bool entities);

}  // namespace sesame
