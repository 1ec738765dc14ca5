// libFuzzer's entries. SESAME_FUZZ_TARGET names the target; without it the targets are listed.
#include <fmt/core.h>

#include <cstdint>
#include <cstdlib>

#include "tests/fuzz/target.h"

namespace {

const sesame::fuzz::Target* chosen = nullptr;

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* name = std::getenv("SESAME_FUZZ_TARGET");
  for (const sesame::fuzz::Target& target : sesame::fuzz::targets()) {
    if (name == nullptr) fmt::print("{}\n", target.name);
    if (name != nullptr && std::string_view(name) == target.name) chosen = &target;
  }
  if (name != nullptr && chosen == nullptr) fmt::print(stderr, "fuzz: there is no target {}\n", name);
  if (chosen == nullptr) std::exit(name == nullptr ? 0 : 2);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sesame::fuzz::run(*chosen, {reinterpret_cast<const char*>(data), size});
  return 0;
}
