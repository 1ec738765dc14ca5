// Every op is in autograd/op_list.h, and every op there has a row in a table of op tests (tests/op_case.h).
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "autograd/op_list.h"

namespace fs = std::filesystem;

namespace {

const fs::path source = SESAME_SOURCE_DIR;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::set<std::string> matches(const std::string& text, const char* pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.insert((*it)[1]);
  return found;
}

// Functions that return a Tensor, without operators and composed twins.
std::set<std::string> declared(const fs::path& header) {
  std::set<std::string> names = matches(text_of(header), R"((?:^|\n)(?:inline )?Tensor (\w+)\()");
  std::erase_if(names, [](const std::string& name) {
    return name.starts_with("operator") || name.ends_with("_composed");
  });
  return names;
}

}  // namespace

TEST_CASE("op_list.h names what the headers declare") {
  std::size_t headers = 0;
  for (const auto& entry : fs::directory_iterator(source / "autograd/ops")) {
    const std::string file = entry.path().filename().string();
    if (entry.path().extension() != ".h" || file == "op_support.h") continue;
    ++headers;
    std::set<std::string> listed;
    for (const sesame::OpName& op : sesame::kOps) {
      if (op.header == "ops/" + file) listed.insert(op.name);
    }
    for (const std::string& name : declared(entry.path())) {
      CHECK_MESSAGE(listed.contains(name), file, ": ", name, " is missing in autograd/op_list.h");
    }
    for (const std::string& name : listed) {
      CHECK_MESSAGE(declared(entry.path()).contains(name), name, " is listed, but ", file,
                    " does not declare it");
    }
  }
  CHECK(headers >= 9);
}

TEST_CASE("every op has a row") {
  std::set<std::string> rows;
  for (const auto& entry : fs::directory_iterator(source / "tests")) {
    const std::string file = entry.path().filename().string();
    if (!file.starts_with("test_") || file == "test_op_rows.cpp") continue;
    const std::string text = text_of(entry.path());
    // A row itself, or a function that makes rows of one shape for several ops: sum_cases("sum", ...).
    rows.merge(matches(text, R"re(\.op\s*=\s*"(\w+)")re"));
    rows.merge(matches(text, R"re(case(?:s|s_for|_for)?\(\s*"(\w+)")re"));
  }
  for (const sesame::OpName& op : sesame::kOps) {
    CHECK_MESSAGE(rows.contains(op.name), "no row in tests/test_*.cpp for ", std::string(op.name),
                  " (autograd/", std::string(op.header), "): add one, see tests/op_case.h");
  }
}
