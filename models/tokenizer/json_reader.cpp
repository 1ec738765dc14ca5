#include "models/tokenizer/json_reader.h"

#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"

namespace sesame::tokenizer_json {

Json parse(const std::string& bytes, const std::string& where) {
  Json json = parse_json(bytes, where);
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
