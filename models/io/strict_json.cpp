#include "models/io/strict_json.h"

#include <nlohmann/json.hpp>
#include <unordered_set>
#include <vector>

#include "autograd/check.h"
#include "models/io/mapped_file.h"

namespace sesame {

namespace {

// A first pass over the text: the document builder of the library silently keeps the last of two equal keys.
class RuleChecker : public nlohmann::json_sax<nlohmann::json> {
 public:
  RuleChecker(const std::string& where, int max_depth, const char* complaint)
      : where_(where), max_depth_(max_depth), complaint_(complaint) {}

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    descend();
    keys_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    SESAME_CHECK(keys_.back().insert(name).second, where_, "key \"{}\" appears twice in one JSON object",
                 name);
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override {
    descend();
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    std::string reason = error.what();  // "[json.exception.parse_error.101] parse error at line 1, ..."
    if (const std::size_t end = reason.find("] "); reason.starts_with('[') && end != std::string::npos) {
      reason.erase(0, end + 2);
    }
    fail(where_, "{}: {}", complaint_, reason);
  }

 private:
  void descend() {
    SESAME_CHECK(++depth_ <= max_depth_, where_, "JSON is nested deeper than {} levels", max_depth_);
  }

  const std::string& where_;
  int max_depth_, depth_ = 0;
  const char* complaint_;
  std::vector<std::unordered_set<std::string>> keys_;
};

nlohmann::json parse_checked(std::string_view text, const std::string& where, int max_depth,
                             const char* complaint) {
  // The library takes a NUL byte for the end of its input and would not look behind it.
  const std::size_t nul = text.find('\0');
  SESAME_CHECK(nul == std::string_view::npos, where, "{}: NUL byte at {}", complaint, nul);
  RuleChecker checker(where, max_depth, complaint);
  nlohmann::json::sax_parse(text.begin(), text.end(), &checker);
  return nlohmann::json::parse(text.begin(), text.end());
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& where, int max_depth) {
  return parse_checked(text, where, max_depth, "is not valid UTF-8 JSON");
}

nlohmann::json parse_json_line(std::string_view line, const std::string& where) {
  nlohmann::json object = parse_checked(line, where, 64, "not a JSON object on one line");
  SESAME_CHECK(object.is_object(), where, "not a JSON object on one line: found {}", object.type_name());
  return object;
}

template <class Json>
Json json_or_discarded(std::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, false);
}
template nlohmann::json json_or_discarded(std::string_view);
template nlohmann::ordered_json json_or_discarded(std::string_view);

std::string json_text(const nlohmann::json& value, int indent) { return value.dump(indent); }
std::string json_text(const nlohmann::ordered_json& value, int indent) { return value.dump(indent); }

nlohmann::json read_json_file(const std::string& path, int max_depth) {
  const MappedFile file(path);
  return parse_json(file.text(), path, max_depth);
}

}  // namespace sesame
