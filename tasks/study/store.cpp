#include "tasks/study/store.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"
#include "tasks/data/source.h"

namespace sesame {
namespace {

constexpr int kFormat = 1;

std::string text_of(const Json& json, const char* key, const std::string& where) {
  SESAME_CHECK(json.is_object() && json.contains(key) && json[key].is_string(), where,
               "not a result of study: expected an object with the text \"{}\"", key);
  return json[key];
}

}  // namespace

ResultFile::ResultFile(const std::string& out, const std::string& name)
    : path_(out + "/" + name + ".jsonl"), name_(name) {
  if (!std::filesystem::exists(path_)) return;
  LineReader reader(path_);
  std::string line;
  SESAME_CHECK(reader.next(line), path_ + ":1", "is empty: expected the head of a results file; remove it");
  const Json head = parse_json(line, reader.where());
  SESAME_CHECK(text_of(head, "study", reader.where()) == name_, reader.where(),
               "holds results of '{}', expected '{}'", head["study"].get<std::string>(), name_);
  const Json format = head.value("format", Json());
  SESAME_CHECK(format == kFormat, reader.where(),
               "is of format {}, this version reads {}: name another --out, or move the file away",
               json_text(format), kFormat);
  while (reader.next(line)) {
    const Json json = parse_json(line, reader.where());
    const std::string key = text_of(json, "key", reader.where());
    if (!lines_.contains(key)) order_.push_back(key);
    lines_[key] = line;
    settings_[key] = text_of(json, "settings", reader.where());
  }
}

bool ResultFile::has(const std::string& key, const std::string& settings) const {
  const auto found = settings_.find(key);
  return found != settings_.end() && found->second == settings;
}

void ResultFile::put(const std::string& key, const std::string& settings, OrderedJson result) {
  OrderedJson line = {{"key", key}, {"settings", settings}};
  line.update(result);
  if (!lines_.contains(key)) order_.push_back(key);
  lines_[key] = json_text(line);
  settings_[key] = settings;
  std::string text = json_text(OrderedJson({{"study", name_}, {"format", kFormat}})) + "\n";
  for (const std::string& k : order_) text += lines_.at(k) + "\n";
  write_file_atomic(path_, text);
}

std::vector<OrderedJson> ResultFile::all() const {
  std::vector<OrderedJson> results;
  for (const std::string& key : order_) results.push_back(json_or_discarded<OrderedJson>(lines_.at(key)));
  return results;
}

OrderedJson ResultFile::at(const std::string& key) const {
  SESAME_CHECK(lines_.contains(key), path_, "holds no result '{}'", key);
  return json_or_discarded<OrderedJson>(lines_.at(key));
}

}  // namespace sesame
