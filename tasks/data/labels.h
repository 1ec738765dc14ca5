// Class names and their numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/data/example.h"

namespace sesame {

class LabelMap {
 public:
  LabelMap() = default;
  // The order is the numbering. Error on an empty or repeated name.
  explicit LabelMap(std::vector<std::string> names);
  // All labels of a training set, sorted; in numeric order where all are integers. Error on fewer than two
  // classes (one-class) or none (multi-label).
  static LabelMap of(const Dataset& data);

  size_t size() const { return names_.size(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& name(int64_t id) const { return names_.at(static_cast<size_t>(id)); }
  // Error at `where` with the known labels.
  int64_t id(const std::string& name, const std::string& where) const;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, int64_t> ids_;
};

// From --labels: "auto", "class", "multi", "number"; Error lists them.
LabelKind parse_label_kind(const std::string& name);

// [examples] class numbers of a one-class set.
std::vector<int64_t> class_ids(const Dataset& data, const LabelMap& labels);
// [examples * classes] zeros and ones of a multi-label set, row by row.
std::vector<uint8_t> label_matrix(const Dataset& data, const LabelMap& labels);
// [examples] numbers of a regression set.
std::vector<double> label_values(const Dataset& data);

}  // namespace sesame
