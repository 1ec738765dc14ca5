#include "tests/fuzz/target.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "autograd/check.h"

namespace sesame::fuzz {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kNext = "<<next>>\n";
constexpr std::size_t kLongestMessage = 10000;

// Removed at the end of the program.
struct Scratch {
  fs::path path = fs::temp_directory_path() / fmt::format("sesame-fuzz-{}", ::getpid());
  Scratch() { fs::create_directories(path); }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};

const fs::path& scratch() {
  static const Scratch folder;
  return folder.path;
}

}  // namespace

std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

bool run(const Target& target, std::string_view bytes) {
  try {
    target.run(bytes);
    return true;
  } catch (const Error& error) {
    const std::string_view text = error.what();
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
    const auto odd = std::find_if(text.begin(), text.end(), control);
    if (odd != text.end() || text.size() > kLongestMessage) {
      throw std::logic_error(
          fmt::format("the error is not one line of text ({} bytes, control character {}): {}", text.size(),
                      odd == text.end() ? -1 : *odd, text.substr(0, 400)));
    }
    return false;
  }
}

std::string file_with(std::string_view bytes, const std::string& name) {
  const fs::path path = scratch() / name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path.string();
}

std::string folder_with(std::initializer_list<const char*> names, std::string_view bytes) {
  const fs::path folder = scratch() / "folder";
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(folder)) fs::remove_all(entry.path());
  for (const char* name : names) {
    const std::size_t end = bytes.find(kNext);
    std::ofstream(folder / name, std::ios::binary) << bytes.substr(0, end);
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + kNext.size());
  }
  return folder.string();
}

}  // namespace sesame::fuzz
