// JSON as this project accepts it: valid UTF-8, no key twice in one object, limited depth.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace sesame {

// Throws Error at `where` (a file name) naming the rule that was broken and its place.
nlohmann::json parse_json(std::string_view text, const std::string& where, int max_depth = 64);

// Reads and parses a whole file. Throws Error naming the file.
nlohmann::json read_json_file(const std::string& path, int max_depth = 64);

}  // namespace sesame
