#include "tasks/metrics/metrics.h"

#include <cmath>

#include "autograd/check.h"

namespace sesame {

void Metrics::set(const std::string& name, double value) {
  for (auto& entry : values_) {
    if (entry.first == name) {
      entry.second = value;
      return;
    }
  }
  values_.emplace_back(name, value);
}

bool Metrics::has(const std::string& name) const {
  for (const auto& entry : values_) {
    if (entry.first == name) return true;
  }
  return false;
}

double Metrics::at(const std::string& name) const {
  std::string known;
  for (const auto& entry : values_) {
    if (entry.first == name) return entry.second;
    known += (known.empty() ? "" : ", ") + entry.first;
  }
  fail("metrics", "no metric \"{}\"; there are: {}", name, known.empty() ? "none" : known);
}

std::string Metrics::json() const {
  std::string text = "{";
  for (const auto& [name, value] : values_) {
    text += fmt::format("{}{}: {}", text.size() > 1 ? ", " : "", json_string(name), json_number(value));
  }
  return text + "}";
}

std::string json_number(double value) { return std::isfinite(value) ? fmt::format("{}", value) : "null"; }

std::string json_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<int>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

bool higher_is_better(const std::string& metric) { return metric != "loss" && metric != "mse"; }

}  // namespace sesame
