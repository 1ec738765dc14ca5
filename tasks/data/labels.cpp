#include "tasks/data/labels.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "autograd/check.h"

namespace sesame {

namespace {

constexpr size_t kListed = 20;

bool parse_integer(const std::string& text, int64_t& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end;
}

// "2" before "10" where every name is an integer.
void sort_labels(std::vector<std::string>& names) {
  std::vector<std::pair<int64_t, std::string>> numbered;
  for (const std::string& name : names) {
    int64_t value = 0;
    if (!parse_integer(name, value)) {
      std::sort(names.begin(), names.end());
      return;
    }
    numbered.emplace_back(value, name);
  }
  std::sort(numbered.begin(), numbered.end());
  for (size_t i = 0; i < names.size(); ++i) names[i] = numbered[i].second;
}

}  // namespace

LabelMap::LabelMap(std::vector<std::string> names) : names_(std::move(names)) {
  for (size_t i = 0; i < names_.size(); ++i) {
    SESAME_CHECK(!names_[i].empty(), "labels", "label {} is empty", i);
    const bool fresh = ids_.emplace(names_[i], static_cast<int64_t>(i)).second;
    SESAME_CHECK(fresh, "labels", "label \"{}\" is given twice", names_[i]);
  }
}

LabelMap LabelMap::of(const Dataset& data) {
  std::set<std::string> found;
  for (const Example& example : data.examples) {
    if (data.kind == LabelKind::one_class) found.insert(example.label);
    found.insert(example.labels.begin(), example.labels.end());
  }
  const size_t wanted = data.kind == LabelKind::one_class ? 2 : 1;
  SESAME_CHECK(found.size() >= wanted, data.path, "{} different label{}{}, at least {} wanted", found.size(),
               found.size() == 1 ? "" : "s",
               found.size() == 1 ? fmt::format(" (\"{}\")", *found.begin()) : "", wanted);
  std::vector<std::string> names(found.begin(), found.end());
  sort_labels(names);
  return LabelMap(std::move(names));
}

int64_t LabelMap::id(const std::string& name, const std::string& where) const {
  const auto found = ids_.find(name);
  if (found != ids_.end()) return found->second;
  std::string known;
  for (size_t i = 0; i < std::min(size(), kListed); ++i)
    known += fmt::format("{}\"{}\"", i ? ", " : "", names_[i]);
  if (size() > kListed) known += fmt::format(" ... ({} in all)", size());
  fail(where, "unknown label \"{}\"; known: {}", name, known);
}

std::vector<int64_t> class_ids(const Dataset& data, const LabelMap& labels) {
  std::vector<int64_t> ids;
  ids.reserve(data.examples.size());
  for (const Example& example : data.examples) ids.push_back(labels.id(example.label, data.where(example)));
  return ids;
}

std::vector<uint8_t> label_matrix(const Dataset& data, const LabelMap& labels) {
  std::vector<uint8_t> matrix(data.examples.size() * labels.size(), 0);
  for (size_t row = 0; row < data.examples.size(); ++row) {
    const Example& example = data.examples[row];
    for (const std::string& label : example.labels) {
      matrix[row * labels.size() + static_cast<size_t>(labels.id(label, data.where(example)))] = 1;
    }
  }
  return matrix;
}

std::vector<double> label_values(const Dataset& data) {
  std::vector<double> values;
  values.reserve(data.examples.size());
  for (const Example& example : data.examples) values.push_back(example.value);
  return values;
}

LabelKind parse_label_kind(const std::string& name) {
  if (name == "auto") return LabelKind::automatic;
  if (name == "class") return LabelKind::one_class;
  if (name == "multi") return LabelKind::multi_label;
  if (name == "number") return LabelKind::number;
  fail("--labels", "unknown kind '{}': expected auto, class, multi or number", name);
}

}  // namespace sesame
