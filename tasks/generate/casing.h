// How words are written that an uncased vocabulary spells in small letters without accents: as in the source
// text, as most often in the training targets, or with a capital, whichever was right in the same situation
// in training; and otherwise beside certain words ("wall street" -> "Wall Street"), where that mends at least
// two training targets.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/generate/units.h"

namespace sesame {

// The form that each word of a source has: beside a neighbour, and anywhere.
class SourceForms {
 public:
  struct Form {
    std::string form;
    bool at_start = false;  // it stands at the beginning of a sentence only
  };
  // Adds the words of one more source text.
  void add(const std::vector<Unit>& units);
  // The form of words[i], preferably with the same neighbour; null where the source lacks the word.
  const Form* find(const std::vector<std::string>& words, std::size_t i) const;

 private:
  std::array<std::unordered_map<std::string, Form>, 3> forms_;  // "previous word", "word next", "word"
};

class Casing {
 public:
  // texts[i] was written for a source with the forms sources[i]. Learns nothing where every word is written
  // as the vocabulary spells it.
  static Casing learn(const std::vector<std::vector<Unit>>& texts, const std::vector<SourceForms>& sources);

  std::vector<std::string> forms(const std::vector<std::string>& words, const SourceForms& source) const;
  bool empty() const { return choices_.empty(); }

  nlohmann::json to_json() const;
  // Throws nlohmann's exceptions for another shape.
  static Casing from_json(const nlohmann::json& json);

 private:
  // Where a word's form may come from.
  enum Choice { kSource, kTargets, kSpelled, kCapital, kChoices };
  struct Place;
  struct Scanner;
  static std::string candidate(Choice choice, const Place& place);
  static std::string situation(const Place& place, bool exact);
  using Texts = std::vector<std::vector<Unit>>;
  void learn_forms(const Texts& texts, std::unordered_map<std::string, std::int64_t>& total);
  void learn_choices(const Texts& texts, const std::vector<SourceForms>& sources,
                     const std::unordered_map<std::string, std::int64_t>& total);
  void learn_pairs(const Texts& texts, const std::vector<SourceForms>& sources);
  Place place(const std::vector<std::string>& words, std::size_t i, const std::string& position,
              const SourceForms& source) const;
  std::string form(const Place& place) const;

  std::unordered_map<std::string, std::string> forms_;  // of words in the targets, the most frequent
  std::unordered_map<std::string, Choice> choices_;     // by situation
  // "previous word" and "word next" -> form of the word, inside of a sentence.
  std::array<std::unordered_map<std::string, std::string>, 2> pairs_;
};

}  // namespace sesame
