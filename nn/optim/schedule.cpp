#include "nn/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "autograd/check.h"

namespace sesame {

ScheduleKind parse_schedule(const std::string& name) {
  if (name == "linear") return ScheduleKind::Linear;
  if (name == "cosine") return ScheduleKind::Cosine;
  if (name == "constant") return ScheduleKind::Constant;
  fail("schedule", "unknown schedule '{}': expected linear, cosine or constant", name);
}

double Schedule::factor(std::int64_t step) const {
  if (step < warmup)
    return static_cast<double>(step) / static_cast<double>(std::max<std::int64_t>(1, warmup));
  if (kind == ScheduleKind::Constant) return 1;
  const auto left = static_cast<double>(std::max<std::int64_t>(1, total - warmup));
  const double done = std::min(1.0, static_cast<double>(step - warmup) / left);
  return kind == ScheduleKind::Linear ? 1 - done : 0.5 * (1 + std::cos(std::numbers::pi * done));
}

}  // namespace sesame
