#include "models/io/mapped_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

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

// Where somebody cuts a mapped file short, its missing pages raise SIGBUS when they are read. The handler
// names the file and ends the process with exit code 2, as any other unreadable file does; it may use only
// what it finds here. Faults elsewhere, and mappings beyond the table's size, go to the handler that was
// there before.
struct Mapping {
  std::atomic<const unsigned char*> begin = nullptr;
  std::atomic<std::size_t> size = 0;
  std::array<char, 512> message = {};
};
std::array<Mapping, 64> mappings;
struct sigaction earlier_handler;

void on_bus_error(int, siginfo_t* info, void*) {
  const auto* address = static_cast<const unsigned char*>(info->si_addr);
  for (const Mapping& mapping : mappings) {
    const unsigned char* begin = mapping.begin;
    if (begin == nullptr || address < begin || address >= begin + mapping.size) continue;
    [[maybe_unused]] const auto written =
        ::write(STDERR_FILENO, mapping.message.data(), std::strlen(mapping.message.data()));
    ::_exit(2);
  }
  ::sigaction(SIGBUS, &earlier_handler, nullptr);  // the same instruction faults again, under that one
}

void watch(const unsigned char* data, std::size_t size, const std::string& path) {
  static std::once_flag installed;
  std::call_once(installed, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    ::sigaction(SIGBUS, &action, &earlier_handler);
  });
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  for (Mapping& mapping : mappings) {
    if (mapping.begin != nullptr) continue;
    std::snprintf(mapping.message.data(), mapping.message.size(),
                  "[%s] was cut short or lost while it was read: it must not change during a run\n", path.c_str());
    mapping.size = size;
    mapping.begin = data;
    return;
  }
}

void unwatch(const unsigned char* data) {
  for (Mapping& mapping : mappings) {
    if (mapping.begin == data) mapping.begin = nullptr;
  }
}

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
  watch(data_, size_, path_);
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  unwatch(data_);
  ::munmap(const_cast<unsigned char*>(data_), size_);
}

}  // namespace sesame
