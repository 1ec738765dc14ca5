#include "tasks/metrics/collapse.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

namespace sesame {

std::string collapse_text(const std::vector<std::string>& predicted, const std::vector<std::string>& gold) {
  const auto constant = [](const std::vector<std::string>& texts) {
    return std::adjacent_find(texts.begin(), texts.end(), std::not_equal_to<>()) == texts.end();
  };
  if (predicted.size() < 20 || !constant(predicted) || constant(gold)) return "";
  return fmt::format(
      "all {} predictions are '{}': nothing is told apart; if this stays so, training has collapsed: lower "
      "--lr, raise --warmup, or check the labels",
      predicted.size(), predicted.front());
}

}  // namespace sesame
