#include "models/tokenizer/json_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

namespace sesame::tokenizer_json {

Json parse(const std::string& bytes, const std::string& where) {
  std::vector<std::unordered_set<std::string>> open;  // keys of the objects around the current place
  std::string repeated;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    SESAME_CHECK(depth < 64, where, "JSON is nested deeper than 64 levels");
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event == Json::parse_event_t::key && repeated.empty()) {
      const auto& key = value.get_ref<const std::string&>();
      if (!open.back().insert(key).second) repeated = key;
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(bytes, watch);
  } catch (const Json::parse_error& error) {
    const size_t byte = std::min(error.byte, bytes.size());
    const auto line = 1 + std::count(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(byte), '\n');
    fail(fmt::format("{}:{}", where, line), "not valid JSON: broken at byte {} of {}", byte, bytes.size());
  }
  SESAME_CHECK(repeated.empty(), where, "key \"{}\" stands twice in one object", repeated);
  SESAME_CHECK(json.is_object(), where, "wanted a JSON object, got {}", json.type_name());
  return json;
}

const Json& member(const Json& object, const char* key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

bool bool_or(const Json& object, const char* key, bool fallback, const std::string& where) {
  const Json& value = member(object, key);
  if (value.is_null()) return fallback;
  SESAME_CHECK(value.is_boolean(), where, "\"{}\" must be true or false, got {}", key, value.type_name());
  return value.get<bool>();
}

std::string string_or(const Json& object, const char* key, const std::string& fallback,
                      const std::string& where) {
  const Json& value = member(object, key);
  if (value.is_null()) return fallback;
  SESAME_CHECK(value.is_string(), where, "\"{}\" must be a string, got {}", key, value.type_name());
  return value.get<std::string>();
}

int32_t id_of(const Json& value, int64_t limit, const std::string& what, const std::string& where) {
  const bool fits = value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<int64_t>() <= limit;
  SESAME_CHECK(fits, where, "the id of {} must be an integer from 0 to {}, got {}", what, limit,
               value.is_structured() ? value.type_name() : value.dump());
  return value.get<int32_t>();
}

}  // namespace sesame::tokenizer_json
