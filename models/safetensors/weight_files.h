// The weights of a Hugging Face directory: model.safetensors, or shards listed by
// model.safetensors.index.json.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/safetensors/safetensors.h"

namespace sesame {

class WeightFiles {
 public:
  // `path` is a directory or one .safetensors file. Throws Error when there are no weights, when a shard or a
  // tensor that the index lists is missing, when a shard holds a tensor that the index does not give to it,
  // and when only a pickled pytorch_model.bin is there (with the lines that convert it).
  explicit WeightFiles(const std::string& path);

  // What to name in messages: the file, or the index.
  const std::string& path() const { return path_; }
  // Names in the order of the files and of the data in them.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(std::string_view name) const { return where_.find(name) != where_.end(); }
  // Throw Error when there is no such tensor.
  const SafetensorsEntry& entry(std::string_view name) const { return file_of(name).entry(name); }
  Tensor tensor(std::string_view name) const { return file_of(name).tensor(name); }

 private:
  void open_shards(const std::string& folder);
  void add_file(const std::string& path);
  const SafetensorsFile& file_of(std::string_view name) const;

  std::string path_;
  std::vector<SafetensorsFile> files_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t, std::less<>> where_;  // name -> file
};

}  // namespace sesame
