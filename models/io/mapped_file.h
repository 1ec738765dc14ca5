// A whole file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sesame {

// The mapping lives as long as the object. Throws Error naming the file when it cannot be opened, is no
// regular file, or cannot be mapped. An empty file has size 0. A file that is cut short while it is mapped
// ends the process with one line that names it and exit code 2: the system leaves no way to throw.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  const unsigned char* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  std::string path_;
  const unsigned char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sesame
