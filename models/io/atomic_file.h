// Files and directories that appear whole or not at all: written beside the target, flushed to disk, then
// renamed.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace sesame {

// A file under construction. Every failure (a full disk, a missing folder, no permission) throws Error that
// names the target, the bytes written so far and the system's reason, and removes the temporary. A target
// that exists and is no regular file (/dev/stdout, a pipe) is written in place.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  // without commit(): the temporary is removed, the target untouched
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();
  size_t bytes() const { return bytes_; }

 private:
  [[noreturn]] void give_up(const char* action);

  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
  size_t bytes_ = 0;
};

// The whole content at once.
void write_file_atomic(const std::string& path, std::string_view content);

// A directory under construction: fill folder(), then commit() renames it into place (an existing one is
// exchanged for it and removed). Files in it should be written with AtomicFile, which brings them to disk.
class AtomicDir {
 public:
  explicit AtomicDir(const std::string& path);
  ~AtomicDir();
  AtomicDir(const AtomicDir&) = delete;
  AtomicDir& operator=(const AtomicDir&) = delete;

  const std::string& folder() const { return temporary_; }
  void commit();

 private:
  std::string path_, temporary_;
  bool committed_ = false;
};

// Removes a directory and what it holds; a process that is killed meanwhile leaves no part of it under its
// name.
void remove_directory(const std::string& path);

// Removes the temporaries that killed processes left in `folder`; call it only on a folder that nobody else
// writes.
void remove_stale_temporaries(const std::string& folder);

}  // namespace sesame
