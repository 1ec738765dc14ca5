// Reads the seeds of every fuzz target again, and what lies near them: each beginning of a seed, and each
// seed with one byte changed. Exit code 1 when any of them ends otherwise than well or with an Error.
#include <fmt/core.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/fuzz/target.h"

namespace fs = std::filesystem;
using namespace sesame::fuzz;

namespace {

constexpr std::size_t kNeighbours = 40;  // of each kind and seed

int failures = 0;

bool attempt(const Target& target, std::string_view bytes, const std::string& what) {
  try {
    return run(target, bytes);
  } catch (const std::exception& error) {
    fmt::print("FAILED: {}, {}: {}\n", target.name, what, error.what());
    ++failures;
  }
  return false;
}

std::size_t replay(const Target& target, const fs::path& seed) {
  std::ifstream file(seed, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const std::string name = seed.filename().string();
  const bool accepted = attempt(target, bytes, name);
  if (name.starts_with(accepted ? "bad" : "good")) {
    fmt::print("FAILED: {}, {} is {}\n", target.name, name, accepted ? "accepted" : "refused");
    ++failures;
  }
  const std::size_t step = bytes.size() / kNeighbours + 1;
  std::size_t count = 1;
  for (std::size_t i = 0; i < bytes.size(); i += step, count += 2) {
    attempt(target, std::string_view(bytes).substr(0, i), fmt::format("the first {} bytes of {}", i, name));
    std::string changed = bytes;
    changed[i] = "\"0\xFF{[,-9\n\t"[(i / step) % 10];
    attempt(target, changed, fmt::format("{} with byte {} changed", name, i));
  }
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return fmt::print(stderr, "usage: replay FOLDER_OF_SEEDS\n"), 2;
  for (const Target& target : targets()) {
    std::vector<fs::path> seeds;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(fs::path(argv[1]) / target.name, none))
      seeds.push_back(entry.path());
    std::sort(seeds.begin(), seeds.end());
    std::size_t inputs = 0;
    for (const fs::path& seed : seeds) inputs += replay(target, seed);
    fmt::print("{}: {} seeds, {} inputs\n", target.name, seeds.size(), inputs);
    if (seeds.empty()) fmt::print("FAILED: {} has no seeds\n", target.name), ++failures;
  }
  return failures == 0 ? 0 : 1;
}
