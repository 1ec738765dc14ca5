// The safetensors format (https://github.com/huggingface/safetensors): 8 bytes of header length N
// (little-endian), N bytes of JSON {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]},
// ..}, then the data. All rules of the format are enforced on reading; each refusal names the file, the
// tensor and the rule.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/tensor.h"

namespace sesame {

class MappedFile;

using SafetensorsMetadata = std::map<std::string, std::string>;

// One tensor of a file as the header describes it; offsets count from the end of the header.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;  // as written: "F32", "BF16", ...
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

// A file open for reading. Cheap to copy; tensors keep the mapping alive.
class SafetensorsFile {
 public:
  // Maps the file and checks the whole header. Throws Error when a rule is broken.
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const;
  const SafetensorsMetadata& metadata() const { return metadata_; }
  // In the order of their data.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  bool contains(std::string_view name) const { return index_.find(name) != index_.end(); }
  // Throws Error when there is no such tensor.
  const SafetensorsEntry& entry(std::string_view name) const;
  // The values: F32, F64, I64, I32, U8 and BOOL (as uint8) as a read-only view of the mapped file, copied
  // only where the file does not align them; F16 and BF16 converted to float32. Throws Error for the other
  // types.
  Tensor tensor(std::string_view name) const;

 private:
  void read_header();
  void check_layout(std::uint64_t data_bytes) const;

  std::shared_ptr<const MappedFile> file_;
  const unsigned char* data_ = nullptr;  // behind the header
  SafetensorsMetadata metadata_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// Writes tensors as the reference implementation does (wider types first, then by name) so that equal content
// gives equal bytes, whole or not at all. transformers wants the metadata "format": "pt". Throws Error for a
// name that is empty, given twice, not UTF-8 or "__metadata__", and when the file cannot be written.
void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const SafetensorsMetadata& metadata = {{"format", "pt"}});

}  // namespace sesame
