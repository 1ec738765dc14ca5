#include "tasks/generate/casing.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
namespace sesame {
namespace {

constexpr std::array<const char*, 4> kChoiceNames = {"source", "targets", "spelled", "capital"};
constexpr std::int64_t kLeastCasingGain = 2;  // targets that a pair must mend

// Side 0: a word with the one before it; side 1: with the one behind; else the word itself.
std::string pair_key(std::size_t side, const std::vector<std::string>& words, std::size_t i) {
  if (side == 0) return (i > 0 ? words[i - 1] : "") + " " + words[i];
  if (side == 1) return words[i] + " " + (i + 1 < words.size() ? words[i + 1] : "");
  return words[i];
}

std::vector<std::string> spelled(const std::vector<Unit>& units) {
  std::vector<std::string> words;
  for (const Unit& unit : units) words.push_back(unit.word);
  return words;
}

}  // namespace

// A word with what stands before it, and what source and targets know of it.
struct Casing::Place {
  const std::string& word;
  std::string position;  // "start", "after <mark>" or "inside"
  const SourceForms::Form* source = nullptr;
  const std::string* targets = nullptr;
};

// Tells the position of each word of a text, from left to right.
struct Casing::Scanner {
  bool only_marks = true;  // so far
  std::string last_mark = {};

  std::string next(const std::string& word) {
    if (is_mark(kind_of(word))) {
      last_mark = word;
      return "mark";
    }
    const std::string position = only_marks ? "start" : last_mark.empty() ? "inside" : "after " + last_mark;
    only_marks = false;
    last_mark.clear();
    return position;
  }
};

void SourceForms::add(const std::vector<Unit>& units) {
  const std::vector<std::string> words = spelled(units);
  bool start = true;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (is_mark(kind_of(words[i]))) {
      start = start || words[i] == "." || words[i] == "!" || words[i] == "?";
      continue;
    }
    for (std::size_t side = 0; side < forms_.size(); ++side) {
      Form& known = forms_[side][pair_key(side, words, i)];
      if (known.form.empty() || (known.at_start && !start)) known = {units[i].form, start};
    }
    start = false;
  }
}

const SourceForms::Form* SourceForms::find(const std::vector<std::string>& words, std::size_t i) const {
  for (std::size_t side = 0; side < forms_.size(); ++side) {
    const auto found = forms_[side].find(pair_key(side, words, i));
    const bool last = side + 1 == forms_.size();
    if (found != forms_[side].end() && (last || !found->second.at_start)) return &found->second;
  }
  return nullptr;
}

std::string Casing::candidate(Choice choice, const Place& place) {
  switch (choice) {
    case kSource:
      return place.source != nullptr ? place.source->form : "";
    case kTargets:
      return place.targets != nullptr ? *place.targets : "";
    case kCapital:
      return capitalized(place.targets != nullptr ? *place.targets : place.word);
    default:
      return place.word;
  }
}

std::string Casing::situation(const Place& place, bool exact) {
  const char* source = place.source == nullptr ? "none" : place.source->at_start ? "start" : "inside";
  const char* targets = place.targets == nullptr       ? "none"
                        : *place.targets == place.word ? "spelled"
                                                       : "other";
  return (exact ? place.position : "inside") + ", source " + source + ", targets " + targets;
}

void Casing::learn_forms(const Texts& texts, std::unordered_map<std::string, std::int64_t>& total) {
  std::unordered_map<std::string, std::map<std::string, std::int64_t>> inside, at_start;
  for (const std::vector<Unit>& text : texts) {
    Scanner scanner;
    for (const Unit& unit : text) {
      const std::string position = scanner.next(unit.word);
      if (position == "mark" || unit.word == "[UNK]") continue;
      ++(position == "inside" ? inside : at_start)[unit.word][unit.form];
      ++total[unit.word];
    }
  }
  for (const auto* counts : {&inside, &at_start}) {
    for (const auto& [word, of_word] : *counts) {
      const auto most = std::max_element(of_word.begin(), of_word.end(),
                                         [](const auto& a, const auto& b) { return a.second < b.second; });
      // A capital that was seen only where sentences begin tells nothing of the word elsewhere.
      const bool telling = counts == &inside || most->first != capitalized(word);
      if (telling) forms_.try_emplace(word, most->first);
    }
  }
}

void Casing::learn_choices(const Texts& texts, const std::vector<SourceForms>& sources,
                           const std::unordered_map<std::string, std::int64_t>& total) {
  std::unordered_map<std::string, std::array<std::int64_t, kChoices>> right;
  for (std::size_t t = 0; t < texts.size(); ++t) {
    const std::vector<std::string> words = spelled(texts[t]);
    Scanner scanner;
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string position = scanner.next(words[i]);
      if (position == "mark" || words[i] == "[UNK]") continue;
      Place here = place(words, i, position, sources[t]);
      // A word that was written only here would be unknown if it came for the first time.
      if (total.at(words[i]) == 1) here.targets = nullptr;
      auto& counts = right[situation(here, true)];
      for (int c = 0; c < kChoices; ++c) {
        counts[static_cast<std::size_t>(c)] += candidate(static_cast<Choice>(c), here) == texts[t][i].form;
      }
    }
  }
  for (const auto& [name, counts] : right) {
    choices_[name] = static_cast<Choice>(std::max_element(counts.begin(), counts.end()) - counts.begin());
  }
}

void Casing::learn_pairs(const Texts& texts, const std::vector<SourceForms>& sources) {
  struct Count {
    std::map<std::string, std::int64_t> forms;
    std::int64_t right = 0;
  };
  for (std::size_t side = 0; side < pairs_.size(); ++side) {
    std::unordered_map<std::string, Count> counts;
    for (std::size_t t = 0; t < texts.size(); ++t) {
      const std::vector<std::string> words = spelled(texts[t]), given = forms(words, sources[t]);
      Scanner scanner;
      for (std::size_t i = 0; i < words.size(); ++i) {
        if (scanner.next(words[i]) != "inside" || words[i] == "[UNK]") continue;
        Count& count = counts[pair_key(side, words, i)];
        ++count.forms[texts[t][i].form];
        count.right += given[i] == texts[t][i].form;
      }
    }
    for (const auto& [key, count] : counts) {
      const auto most = std::max_element(count.forms.begin(), count.forms.end(),
                                         [](const auto& a, const auto& b) { return a.second < b.second; });
      if (most->second - count.right >= kLeastCasingGain) pairs_[side][key] = most->first;
    }
  }
}

Casing Casing::learn(const Texts& texts, const std::vector<SourceForms>& sources) {
  Casing casing;
  std::unordered_map<std::string, std::int64_t> total;
  casing.learn_forms(texts, total);
  casing.learn_choices(texts, sources, total);
  casing.learn_pairs(texts, sources);
  return casing;
}

Casing::Place Casing::place(const std::vector<std::string>& words, std::size_t i, const std::string& position,
                            const SourceForms& source) const {
  const auto known = forms_.find(words[i]);
  return {words[i], position, source.find(words, i), known != forms_.end() ? &known->second : nullptr};
}

std::string Casing::form(const Place& place) const {
  auto choice = choices_.find(situation(place, true));
  if (choice == choices_.end()) choice = choices_.find(situation(place, false));
  if (choice != choices_.end()) return candidate(choice->second, place);
  return candidate(place.source != nullptr ? kSource : place.targets != nullptr ? kTargets : kSpelled, place);
}

std::vector<std::string> Casing::forms(const std::vector<std::string>& words,
                                       const SourceForms& source) const {
  if (empty()) return words;
  std::vector<std::string> forms;
  Scanner scanner;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string position = scanner.next(words[i]);
    forms.push_back(position == "mark" ? words[i] : form(place(words, i, position, source)));
    if (forms.back().empty()) forms.back() = words[i];
    for (std::size_t side = 0; side < pairs_.size() && position == "inside"; ++side) {
      const auto pair = pairs_[side].find(pair_key(side, words, i));
      if (pair != pairs_[side].end()) forms.back() = pair->second;
    }
  }
  return forms;
}

Json Casing::to_json() const {
  Json choices = Json::object();
  for (const auto& [name, choice] : choices_) choices[name] = kChoiceNames[static_cast<std::size_t>(choice)];
  return {{"forms", forms_}, {"choices", choices}, {"pairs", pairs_}};
}

Casing Casing::from_json(const Json& json) {
  Casing casing;
  casing.forms_ = json.at("forms").get<std::unordered_map<std::string, std::string>>();
  casing.pairs_ = json.at("pairs").get<decltype(casing.pairs_)>();
  for (const auto& [name, choice] : json.at("choices").items()) {
    const auto found = std::find(kChoiceNames.begin(), kChoiceNames.end(), choice.get<std::string>());
    if (found != kChoiceNames.end())
      casing.choices_[name] = static_cast<Choice>(found - kChoiceNames.begin());
  }
  return casing;
}

}  // namespace sesame
