// --config files in TOML, and run.toml. CLI11 reads a dialect of its own that cuts values at '#'; this is the
// real one.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace sesame {

class TomlConfig : public CLI::Config {
 public:
  // All configurable options that have a value, one a line.
  std::string to_config(const CLI::App* app, bool defaults, bool descriptions,
                        std::string prefix) const override;
  // Throws CLI::ConfigError naming the line. Unknown names and sections are refused by the parser.
  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override;
};

// The options of `app` as TOML, with some values replaced.
std::string toml_with(const CLI::App& app, const std::map<std::string, std::string>& replaced);

}  // namespace sesame
