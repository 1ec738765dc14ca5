#include "tasks/generate/spacing.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/io/strict_json.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

constexpr std::int64_t kLeastSpacingGain = 2;
const std::string kNone;

const char* kind_name(UnitKind kind) {
  constexpr const char* names[] = {"word", "number", "opener", "closer", "mark", "ideograph"};
  return names[static_cast<int>(kind)];
}

}  // namespace

// The place between two neighbouring words, and what stands around it.
struct Spacing::Gap {
  const std::string *before = &kNone, *left = &kNone, *right = &kNone, *after = &kNone;
  bool space_before_left = false;
  bool left_open = false, right_open = false;  // an opening mark of the same form stands before, unclosed
};

// Goes through the gaps of a text from left to right and knows which quotation marks are open: those that
// stood with a space before and none after.
struct Spacing::Scanner {
  const std::vector<std::string>& words;
  std::set<std::string> open = {};
  bool space_before_left = true;

  // The gap before words[i], i >= 1.
  Gap at(std::size_t i) const {
    return {.before = i >= 2 ? &words[i - 2] : &kNone,
            .left = &words[i - 1],
            .right = &words[i],
            .after = i + 1 < words.size() ? &words[i + 1] : &kNone,
            .space_before_left = space_before_left,
            .left_open = open.contains(words[i - 1]),
            .right_open = open.contains(words[i])};
  }
  void decided(std::size_t i, bool space) {
    if (is_mark(kind_of(words[i - 1]))) {
      if (space_before_left && !space) open.insert(words[i - 1]);
      if (!space_before_left && space) open.erase(words[i - 1]);
    }
    space_before_left = space;
  }
};

// Keys of the rules, from general to specific. A mark stands for itself, a word for its kind.
std::string Spacing::key(int level, const Gap& gap) {
  const auto kind = [&](const std::string& word) -> std::string {
    if (word.empty()) return "edge";
    const UnitKind found = kind_of(word);
    const bool letter = level == kLevels - 1 && found == UnitKind::Word && count_utf8(word) == 1;
    return letter ? "letter" : kind_name(found);  // initials and abbreviations
  };
  const auto shape = [&](const std::string& word) {
    return !word.empty() && is_mark(kind_of(word)) ? word : kind(word);
  };
  const auto state = [&] {
    return std::string(gap.space_before_left ? "apart" : "joined") + (gap.left_open ? " left-open" : "") +
           (gap.right_open ? " right-open" : "");
  };
  switch (level) {
    case 0:
      return kind(*gap.left) + " " + kind(*gap.right);
    case 1:
      return shape(*gap.left) + " " + kind(*gap.right);
    case 2:
      return kind(*gap.left) + " " + shape(*gap.right);
    case 3:
      return shape(*gap.left) + " " + shape(*gap.right) + " " + state();
    case 4:
      return *gap.left + " " + *gap.right;
    case 5:
      return kind(*gap.left) + " " + shape(*gap.right) + " " + *gap.after;
    default:
      return shape(*gap.before) + " " + shape(*gap.left) + " " + shape(*gap.right) + " " + shape(*gap.after) +
             " " + state();
  }
}

bool Spacing::decide(const Gap& gap) const {
  if (!may_touch(kind_of(*gap.left)) && !may_touch(kind_of(*gap.right))) return true;
  for (int level = kLevels - 1; level >= 0; --level) {
    const auto& rules = rules_[static_cast<std::size_t>(level)];
    if (rules.empty()) continue;
    if (const auto found = rules.find(key(level, gap)); found != rules.end()) return found->second;
  }
  return true;
}

Spacing Spacing::learn(const std::vector<std::vector<Unit>>& texts) {
  struct Case {
    Gap gap;
    bool space, guess;
  };
  std::vector<std::vector<std::string>> words(texts.size());
  std::vector<Case> cases;
  for (std::size_t t = 0; t < texts.size(); ++t) {
    for (const Unit& unit : texts[t]) words[t].push_back(unit.word);
    Scanner scanner{words[t]};
    for (std::size_t i = 1; i < words[t].size(); ++i) {
      const bool space = texts[t][i].space_before;
      if (may_touch(kind_of(words[t][i - 1])) || may_touch(kind_of(words[t][i]))) {
        cases.push_back({scanner.at(i), space, true});
      }
      scanner.decided(i, space);
    }
  }
  struct Count {
    std::int64_t spaces = 0, total = 0, right = 0;
  };
  Spacing spacing;
  for (int level = 0; level < kLevels; ++level) {
    std::unordered_map<std::string, Count> counts;
    for (const Case& one : cases) {
      Count& count = counts[key(level, one.gap)];
      count.spaces += one.space;
      count.total += 1;
      count.right += one.space == one.guess;
    }
    auto& rules = spacing.rules_[static_cast<std::size_t>(level)];
    for (const auto& [name, count] : counts) {
      const bool space = 2 * count.spaces > count.total;
      if ((space ? count.spaces : count.total - count.spaces) - count.right >= kLeastSpacingGain)
        rules[name] = space;
    }
    for (Case& one : cases) {
      if (rules.empty()) break;
      if (const auto found = rules.find(key(level, one.gap)); found != rules.end()) one.guess = found->second;
    }
  }
  return spacing;
}

std::string Spacing::join(const std::vector<std::string>& words,
                          const std::vector<std::string>& forms) const {
  std::string text;
  Scanner scanner{words};
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool space = i > 0 && decide(scanner.at(i));
    if (i > 0) scanner.decided(i, space);
    text += (space ? " " : "") + forms[i];
  }
  return text;
}

bool Spacing::empty() const {
  for (const auto& rules : rules_) {
    if (!rules.empty()) return false;
  }
  return true;
}

Json Spacing::to_json() const {
  Json json = Json::array();
  for (const auto& rules : rules_) {
    json.push_back(Json::object());
    for (const auto& [name, space] : rules) json.back()[name] = space;  // sorted by Json
  }
  return json;
}

Spacing Spacing::from_json(const Json& json) {
  Spacing spacing;
  for (int level = 0; level < kLevels; ++level) {
    const auto i = static_cast<std::size_t>(level);
    spacing.rules_[i] = json.at(i).get<std::unordered_map<std::string, bool>>();
  }
  return spacing;
}

}  // namespace sesame
