// JSON as this project accepts it: valid UTF-8, no key twice in one object, limited depth.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace sesame {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  // keeps the order of its keys: for what is written

// Throws Error at `where` (a file name) naming the rule that was broken and its place.
nlohmann::json parse_json(std::string_view text, const std::string& where, int max_depth = 64);
// The object on a line of JSON lines; refused with a word about that form.
nlohmann::json parse_json_line(std::string_view line, const std::string& where);

// The document, or a discarded value (`is_discarded()`) where the text is not JSON: for text of this
// project's own and for readers with a message of their own. `Json` is nlohmann::json or
// nlohmann::ordered_json.
template <class Json>
Json json_or_discarded(std::string_view text);

// The value as text: in one line, or indented. Here and not a member's call in each file, because every file
// that calls `parse` or `dump` compiles the library's parser or writer again: a tenth of the whole build.
std::string json_text(const nlohmann::json& value, int indent = -1);
std::string json_text(const nlohmann::ordered_json& value, int indent = -1);

// Reads and parses a whole file. Throws Error naming the file.
nlohmann::json read_json_file(const std::string& path, int max_depth = 64);

}  // namespace sesame
