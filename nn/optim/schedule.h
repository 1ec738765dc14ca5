// Learning-rate schedules: a factor on the base rate for update number `step`, counted from 0.
#pragma once

#include <cstdint>
#include <string>

namespace sesame {

enum class ScheduleKind { Linear, Cosine, Constant };

// "linear", "cosine", "constant"; throws Error otherwise.
ScheduleKind parse_schedule(const std::string& name);

// Rises linearly from 0 over `warmup` updates (0 at update 0, as in transformers), then falls to 0 at
// `total`: linearly, along half a cosine, or not at all.
struct Schedule {
  ScheduleKind kind = ScheduleKind::Linear;
  std::int64_t warmup = 0;
  std::int64_t total = 0;

  double factor(std::int64_t step) const;
};

}  // namespace sesame
