#include "tasks/generate/surface.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"

namespace sesame {
namespace {

constexpr std::size_t kLearnedFrom = 50000, kTried = 10000;

SourceForms source_forms(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  SourceForms forms;
  for (const std::string& text : texts) forms.add(units_of(tokenizer, text));
  return forms;
}

}  // namespace

Surface Surface::learn(const Tokenizer& tokenizer, const std::vector<std::string>& targets,
                       const std::vector<std::vector<std::string>>& sources) {
  const std::size_t count = std::min(targets.size(), kLearnedFrom);
  std::vector<std::vector<Unit>> units;
  bool respelled = false;
  for (std::size_t i = 0; i < count; ++i) {
    units.push_back(units_of(tokenizer, targets[i]));
    for (const Unit& unit : units.back()) respelled |= unit.form != unit.word && unit.word != "[UNK]";
  }
  Surface surface(tokenizer);
  surface.spacing_ = Spacing::learn(units);
  if (respelled) {
    std::vector<SourceForms> forms;
    for (std::size_t i = 0; i < count; ++i) forms.push_back(source_forms(tokenizer, sources[i]));
    surface.casing_ = Casing::learn(units, forms);
  }
  const std::size_t tried = std::min(count, kTried);
  std::size_t equal = 0;
  for (std::size_t i = 0; i < tried; ++i) {
    std::vector<std::int32_t> ids;
    tokenizer.encode_ids(targets[i], ids, true);
    equal += surface.text({ids.begin(), ids.end()}, sources[i]) == normalize_spaces(targets[i]);
  }
  surface.round_trip_ = static_cast<double>(equal) / static_cast<double>(std::max<std::size_t>(tried, 1));
  return surface;
}

std::string Surface::text(const std::vector<std::int64_t>& ids,
                          const std::vector<std::string>& source) const {
  const std::vector<std::string> words = words_of(tokenizer_, ids);
  if (casing_.empty()) return spacing_.join(words, words);
  return spacing_.join(words, casing_.forms(words, source_forms(tokenizer_, source)));
}

std::string Surface::learned() const {
  if (spacing_.empty() && casing_.empty()) return "nothing";
  if (casing_.empty()) return "spacing";
  return spacing_.empty() ? "casing" : "spacing and casing";
}

void Surface::save(const std::string& path) const {
  OrderedJson json;
  json["format"] = 1;
  json["round_trip"] = round_trip_;
  json["spacing"] = spacing_.empty() ? Json() : spacing_.to_json();
  json["casing"] = casing_.empty() ? Json() : casing_.to_json();
  write_file_atomic(path, json_text(json, 1) + "\n");
}

Surface Surface::load(const Tokenizer& tokenizer, const std::string& path) {
  Surface surface(tokenizer);
  const Json json = read_json_file(path);
  try {
    SESAME_CHECK(json.at("format") == 1, path, "is of format {}: this version reads format 1",
                 json_text(json["format"]));
    surface.round_trip_ = json.at("round_trip");
    if (!json.at("spacing").is_null()) surface.spacing_ = Spacing::from_json(json["spacing"]);
    if (!json.at("casing").is_null()) surface.casing_ = Casing::from_json(json["casing"]);
  } catch (const Json::exception& error) {
    fail(path, "holds no spacing and casing of this program: {}", error.what());
  }
  return surface;
}

}  // namespace sesame
