#include "models/io/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "autograd/check.h"

namespace sesame {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = ".sesame-tmp-";

std::string temporary_beside(const fs::path& target) {
  return (target.parent_path() / fmt::format(".{}{}{}", target.filename().string(), kMark, ::getpid()))
      .string();
}

// The file behind links, so that a link to the target survives the rename; "dir/" means "dir".
std::string resolve(const std::string& path) {
  SESAME_CHECK(!path.empty(), "write", "the output path is empty");
  if (path.starts_with("/dev/")) return path;  // /dev/stdout leads to whatever the shell opened
  std::error_code ignored;
  fs::path target(path);
  if (fs::exists(target, ignored)) target = fs::canonical(target, ignored);
  if (ignored) target = path;
  return target.has_filename() ? target.string() : target.parent_path().string();
}

// Brings the directory entry itself to disk; not every file system can, and the data is safe without it.
void sync_parent(const std::string& path) {
  const fs::path parent = fs::path(path).parent_path();
  const int descriptor = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(resolve(path)) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path_, ignored);
  SESAME_CHECK(status.type() != fs::file_type::directory, path_, "cannot be written: it is a directory");
  const bool in_place = path_.starts_with("/dev/std") || (fs::exists(status) && !fs::is_regular_file(status));
  if (in_place) {
    file_ = std::fopen(path_.c_str(), "wb");
  } else {
    temporary_ = temporary_beside(path_);
    file_ = std::fopen(temporary_.c_str(), "wb");
  }
  if (file_ == nullptr) {
    temporary_.clear();
    fail(path_, "cannot be created: {}", std::strerror(errno));
  }
}

AtomicFile::~AtomicFile() {
  if (file_ != nullptr) std::fclose(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::give_up(const char* action) {
  const int reason = errno;
  if (file_ != nullptr) std::fclose(file_);
  file_ = nullptr;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
  fail(path_, "{} failed after {} bytes: {}; nothing was stored", action, bytes_, std::strerror(reason));
}

void AtomicFile::write(const void* data, size_t bytes) {
  SESAME_CHECK(file_ != nullptr, path_, "written to after commit or an earlier failure");
  if (bytes == 0) return;
  errno = 0;
  const size_t written = std::fwrite(data, 1, bytes, file_);
  bytes_ += written;
  if (written != bytes) give_up("writing");
}

void AtomicFile::commit() {
  SESAME_CHECK(file_ != nullptr, path_, "committed twice or after a failure");
  if (std::fflush(file_) != 0) give_up("writing");
  // A device or pipe has nothing to sync (EINVAL).
  if (!temporary_.empty() && ::fsync(::fileno(file_)) != 0) give_up("bringing the file to disk");
  std::FILE* file = file_;
  file_ = nullptr;
  if (std::fclose(file) != 0) give_up("closing the file");
  if (temporary_.empty()) return;
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) give_up("renaming");
  temporary_.clear();
  sync_parent(path_);
}

void write_file_atomic(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

AtomicDir::AtomicDir(const std::string& path) : path_(resolve(path)), temporary_(temporary_beside(path_)) {
  std::error_code error;
  fs::remove_all(temporary_, error);
  SESAME_CHECK(!fs::exists(path_) || fs::is_directory(path_), path_, "a file of this name is in the way");
  error.clear();
  fs::create_directory(temporary_, error);
  SESAME_CHECK(!error, path_, "cannot be created: {}", error.message());
}

AtomicDir::~AtomicDir() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void AtomicDir::commit() {
  SESAME_CHECK(!committed_, path_, "committed twice");
  sync_parent((fs::path(temporary_) / "entry").string());
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0) {
    committed_ = true;
    std::error_code ignored;
    fs::remove_all(temporary_, ignored);  // holds the old one now
    sync_parent(path_);
    return;
  }
  // No old directory, or a file system that cannot exchange: then the old one steps aside for a moment.
  const std::string aside = temporary_ + "-old";
  std::error_code ignored;
  const bool had_old = fs::exists(path_, ignored);
  if (had_old && std::rename(path_.c_str(), aside.c_str()) != 0) {
    fail(path_, "cannot be replaced: {}", std::strerror(errno));
  }
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    if (had_old && std::rename(aside.c_str(), path_.c_str()) != 0) {
      fail(path_, "cannot be replaced: {}; the old one is now {}", std::strerror(reason), aside);
    }
    fail(path_, "cannot be created: {}", std::strerror(reason));
  }
  committed_ = true;
  if (had_old) fs::remove_all(aside, ignored);
  sync_parent(path_);
}

void remove_directory(const std::string& path) {
  const std::string temporary = temporary_beside(resolve(path));
  std::error_code error;
  fs::remove_all(temporary, error);
  SESAME_CHECK(std::rename(path.c_str(), temporary.c_str()) == 0 || errno == ENOENT, path,
               "cannot be removed: {}", std::strerror(errno));
  fs::remove_all(temporary, error);
}

void remove_stale_temporaries(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.find(kMark) != std::string::npos) fs::remove_all(entry.path(), ignored);
  }
}

}  // namespace sesame
