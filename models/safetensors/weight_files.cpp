#include "models/safetensors/weight_files.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "autograd/check.h"
#include "models/io/strict_json.h"

namespace sesame {

namespace {

namespace fs = std::filesystem;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

// Without an exception where a folder may not be searched: opening the file says so then.
bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error) || (error && error != std::errc::no_such_file_or_directory);
}

[[noreturn]] void refuse_without_weights(const std::string& folder) {
  for (const char* pickle : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (!is_there(fs::path(folder) / pickle)) continue;
    fail(folder,
         "has its weights only as {}, a pickle, which runs code when it is opened and is not read here; "
         "convert it "
         "with python: from transformers import AutoModel; "
         "AutoModel.from_pretrained(\"{}\").save_pretrained(\"{}\", safe_serialization=True)",
         pickle, folder, folder);
  }
  fail(folder, "has no weights: neither {} nor {} is there", kSingle, kIndex);
}

// A shard lies in the folder itself: an index must not lead elsewhere.
bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\\") == std::string::npos &&
         name.find('\0') == std::string::npos;
}

std::map<std::string, std::string> read_weight_map(const std::string& index) {
  const Json document = read_json_file(index);
  SESAME_CHECK(document.is_object() && document.contains("weight_map") && document["weight_map"].is_object(),
               index, "must be an object with a \"weight_map\" of tensor names to files");
  std::map<std::string, std::string> map;
  for (const auto& [name, file] : document["weight_map"].items()) {
    SESAME_CHECK(file.is_string(), index, "weight_map: the file of \"{}\" must be a string, found {}", name,
                 file.type_name());
    map[name] = file.get<std::string>();
    SESAME_CHECK(is_plain_file_name(map[name]), index,
                 "weight_map: \"{}\" leads to \"{}\"; shards must be plain file names in the same folder",
                 name, map[name]);
  }
  SESAME_CHECK(!map.empty(), index, "weight_map is empty");
  return map;
}

}  // namespace

WeightFiles::WeightFiles(const std::string& path) : path_(path) {
  std::error_code ignored;
  SESAME_CHECK(is_there(path), path, "does not exist: expected a model directory or a .safetensors file");
  if (!fs::is_directory(path, ignored)) {
    add_file(path);
  } else if (const fs::path single = fs::path(path) / kSingle; is_there(single)) {
    path_ = single.string();
    add_file(path_);
  } else if (is_there(fs::path(path) / kIndex)) {
    open_shards(path);
  } else {
    refuse_without_weights(path);
  }
}

void WeightFiles::add_file(const std::string& path) {
  files_.emplace_back(path);
  for (const SafetensorsEntry& entry : files_.back().entries()) {
    const bool fresh = where_.emplace(entry.name, files_.size() - 1).second;
    SESAME_CHECK(fresh, path, "tensor \"{}\" is in another shard already", entry.name);
    names_.push_back(entry.name);
  }
}

void WeightFiles::open_shards(const std::string& folder) {
  path_ = (fs::path(folder) / kIndex).string();
  const std::map<std::string, std::string> weight_map = read_weight_map(path_);
  std::set<std::string> shards;
  for (const auto& [name, shard] : weight_map) shards.insert(shard);
  for (const std::string& shard : shards) {
    const std::string file = (fs::path(folder) / shard).string();
    SESAME_CHECK(is_there(file), path_, "lists the shard \"{}\", which is missing", shard);
    add_file(file);
    for (const SafetensorsEntry& entry : files_.back().entries()) {
      const auto listed = weight_map.find(entry.name);
      SESAME_CHECK(listed != weight_map.end() && listed->second == shard, file,
                   "holds tensor \"{}\", which {} does not list for it", entry.name, kIndex);
    }
  }
  for (const auto& [name, shard] : weight_map) {
    SESAME_CHECK(contains(name), path_, "lists tensor \"{}\" in \"{}\", which does not hold it", name, shard);
  }
}

const SafetensorsFile& WeightFiles::file_of(std::string_view name) const {
  const auto found = where_.find(name);
  SESAME_CHECK(found != where_.end(), path_, "has no tensor \"{}\" (it holds {})", name, names_.size());
  return files_[found->second];
}

}  // namespace sesame
