// Text worth reading out of tokens: the spaces and the capitals that a vocabulary does not keep, learned from
// the training targets.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/generate/casing.h"
#include "tasks/generate/spacing.h"

namespace sesame {

class Surface {
 public:
  // targets[i] was written for the texts of sources[i]. Learns from the first 50,000.
  static Surface learn(const Tokenizer& tokenizer, const std::vector<std::string>& targets,
                       const std::vector<std::vector<std::string>>& sources);

  // The text of the tokens that were written for a source.
  std::string text(const std::vector<std::int64_t>& ids, const std::vector<std::string>& source) const;

  // Share of the training targets (of the first 10,000) that come back exactly, single spaces taken for
  // granted.
  double round_trip() const { return round_trip_; }
  // "spacing and casing", "spacing", "casing" or "nothing": what was learned.
  std::string learned() const;

  // surface.json in a folder.
  void save(const std::string& path) const;
  static Surface load(const Tokenizer& tokenizer, const std::string& path);

 private:
  explicit Surface(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  Tokenizer tokenizer_;
  Spacing spacing_;
  Casing casing_;
  double round_trip_ = 0;
};

}  // namespace sesame
