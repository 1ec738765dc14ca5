// Named scores in the order in which they were added.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sesame {

class Metrics {
 public:
  void set(const std::string& name, double value);
  bool has(const std::string& name) const;
  double at(const std::string& name) const;  // Error lists the names there are
  // {"accuracy": 0.91, "f1": 0.88}; numbers that do not exist (a correlation with a constant) are null.
  std::string json() const;
  bool empty() const { return values_.empty(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }

 private:
  std::vector<std::pair<std::string, double>> values_;
};

// A JSON number in the shortest form that reads back equal, or null.
std::string json_number(double value);
// A JSON string with its quotes.
std::string json_string(const std::string& text);

// Whether more is better: false for "loss" and "mse".
bool higher_is_better(const std::string& metric);

}  // namespace sesame
