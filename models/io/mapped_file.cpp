#include "models/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "autograd/check.h"

namespace sesame {

namespace {

// Closes the descriptor on every way out; the mapping stays valid without it.
struct Descriptor {
  int value;
  ~Descriptor() {
    if (value >= 0) ::close(value);
  }
};

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // O_NONBLOCK: a pipe must be refused below, not waited for.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  SESAME_CHECK(file.value >= 0, path_, "cannot be opened: {}", std::strerror(errno));
  struct stat status {};
  SESAME_CHECK(::fstat(file.value, &status) == 0, path_, "cannot be examined: {}", std::strerror(errno));
  SESAME_CHECK(S_ISREG(status.st_mode), path_, "is not a regular file");
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ == 0) return;
  void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.value, 0);
  SESAME_CHECK(mapping != MAP_FAILED, path_, "cannot be mapped ({} bytes): {}", size_, std::strerror(errno));
  data_ = static_cast<const unsigned char*>(mapping);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<unsigned char*>(data_), size_);
}

}  // namespace sesame
