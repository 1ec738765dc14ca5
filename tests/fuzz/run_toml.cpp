#include "autograd/check.h"
#include "tests/fuzz/target.h"
#include "tools/common/program.h"

using namespace sesame;

// A --config file, for a program with options of every kind.
SESAME_FUZZ_TARGET(run_toml) {
  CLI::App app("", "fuzz");
  CommonOptions common;
  add_common_options(app, common);
  std::string text;
  std::int64_t count = 3;
  double number = 0.1;
  bool flag = false;
  std::vector<std::string> list;
  app.add_option("--text", text);
  app.add_option("--count", count);
  app.add_option("--number", number);
  app.add_flag("--flag", flag);
  app.add_option("--list", list)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  const std::string file = fuzz::file_with(bytes, "run.toml");
  try {
    app.parse(std::vector<std::string>{file, "--config"});  // CLI11 takes them from the back
  } catch (const CLI::ParseError& error) {                  // the programs print it and end with exit code 2
    fail("--config", "{}", error.what());
  }
}
