#include "autograd/check.h"

namespace sesame::detail {

void throw_error(const char* where, const std::string& message) {
  throw Error(fmt::format("[{}] {}", where, message));
}

}  // namespace sesame::detail
