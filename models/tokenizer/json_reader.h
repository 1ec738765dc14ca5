// JSON of a tokenizer's files, read strictly, with errors that name the file and the key.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "autograd/check.h"

namespace sesame::tokenizer_json {

using Json = nlohmann::json;

// Parses an object by the rules of models/io/strict_json.h.
Json parse(const std::string& bytes, const std::string& where);

// The member `key` of an object, or null where it is absent.
const Json& member(const Json& object, const char* key);

// The member `key` with a type check; `fallback` where it is absent or null.
bool bool_or(const Json& object, const char* key, bool fallback, const std::string& where);
std::string string_or(const Json& object, const char* key, const std::string& fallback,
                      const std::string& where);

// An id: an integer from 0 up to `limit`. `what` names it in the error.
int32_t id_of(const Json& value, int64_t limit, const std::string& what, const std::string& where);

}  // namespace sesame::tokenizer_json
