// What a subcommand found, one JSON object a line in OUT/<name>.jsonl: it grows by whole lines, so that a
// study that was stopped goes on behind the last one.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace sesame {

class ResultFile {
 public:
  // Reads what is there; a file that is missing is an empty one. Throws Error with file and line for what
  // another version or another program wrote.
  ResultFile(const std::string& out, const std::string& name);

  // Whether the result `key` is there and was made with these settings (any text that names them).
  bool has(const std::string& key, const std::string& settings) const;
  // Adds or replaces a result and writes the file, whole or not at all.
  void put(const std::string& key, const std::string& settings, nlohmann::ordered_json result);
  // In the order in which they were first found.
  std::vector<nlohmann::ordered_json> all() const;
  // Error when there is no such result.
  nlohmann::ordered_json at(const std::string& key) const;

 private:
  std::string path_, name_;
  std::vector<std::string> order_;
  std::map<std::string, std::string> lines_, settings_;
};

}  // namespace sesame
