// Where spaces stand between words and marks, learned from texts by rules that correct each other (Brill
// 1995, "Transformation-based error-driven learning"): first a space everywhere, then rules from general to
// specific, each kept where it mends at least two gaps of the texts it is learned from.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/generate/units.h"

namespace sesame {

class Spacing {
 public:
  static Spacing learn(const std::vector<std::vector<Unit>>& texts);

  // One text out of the forms of its words; `words` are the same as the vocabulary spells them.
  std::string join(const std::vector<std::string>& words, const std::vector<std::string>& forms) const;
  bool empty() const;

  nlohmann::json to_json() const;
  // Throws nlohmann's exceptions for another shape.
  static Spacing from_json(const nlohmann::json& json);

 private:
  static constexpr int kLevels = 7;
  struct Gap;
  struct Scanner;
  static std::string key(int level, const Gap& gap);
  bool decide(const Gap& gap) const;

  // Per level: key -> whether there is a space.
  std::array<std::unordered_map<std::string, bool>, kLevels> rules_;
};

}  // namespace sesame
