#include "tasks/use/predictor.h"

#include <fmt/core.h>

namespace sesame {

void say_dropped(const std::vector<Dropped>& dropped) {
  for (const Dropped& d : dropped) {
    fmt::print(stderr, "{} rows left out: {} (first at line {})\n", d.count, d.reason, d.first_line);
  }
}

}  // namespace sesame
