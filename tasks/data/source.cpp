#include "tasks/data/source.h"

#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "autograd/check.h"
#include "models/io/utf8.h"

namespace sesame {

namespace {

constexpr size_t kBufferBytes = 1 << 18;
constexpr const char* kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

// zlib reads plain files unchanged, so one path serves both. Standard input (no `file`) is read without it:
// zlib would wait for a full buffer where somebody types.
struct LineReader::Stream {
  gzFile file = nullptr;
  ~Stream() {
    if (file != nullptr) gzclose(file);
  }
};

LineReader::LineReader(const std::string& path)
    : stream_(std::make_unique<Stream>()), name_(path == "-" ? "standard input" : path) {
  buffer_.resize(kBufferBytes);
  if (path != "-") {
    std::error_code ignored;
    SESAME_CHECK(!std::filesystem::is_directory(path, ignored), name_, "is a directory, a file is wanted");
    errno = 0;
    stream_->file = gzopen(path.c_str(), "rb");
    SESAME_CHECK(stream_->file != nullptr, name_, "cannot be opened: {}", std::strerror(errno));
    gzbuffer(stream_->file, kBufferBytes);
  }
  while (end_ < 3 && fill()) {
  }
  const bool compressed = end_ >= 2 && std::memcmp(buffer_.data(), "\x1F\x8B", 2) == 0;
  SESAME_CHECK(stream_->file != nullptr || !compressed, name_, "is gzipped; pipe it through gunzip -c");
  SESAME_CHECK(end_ == 0 || !path.ends_with(".gz") || gzdirect(stream_->file) == 0, name_,
               "is named .gz but holds no gzip data");
  if (end_ >= 3 && std::memcmp(buffer_.data(), kByteOrderMark, 3) == 0) begin_ = 3;
}

LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;

bool LineReader::fill() {
  if (at_end_) return false;
  if (begin_ == end_) begin_ = end_ = 0;
  char* to = buffer_.data() + end_;
  const size_t room = buffer_.size() - end_;
  ssize_t bytes = 0;
  std::string reason;
  if (stream_->file == nullptr) {
    do bytes = ::read(STDIN_FILENO, to, room);
    while (bytes < 0 && errno == EINTR);
    if (bytes < 0) reason = std::strerror(errno);
  } else {
    bytes = gzread(stream_->file, to, static_cast<unsigned>(room));
    int code = Z_OK;
    const char* text = gzerror(stream_->file, &code);
    if (code == Z_BUF_ERROR) {
      reason = "the gzip data ends too early";
    } else if (bytes < 0) {
      reason = code == Z_ERRNO ? std::strerror(errno) : text;
    }
  }
  SESAME_CHECK(reason.empty(), fmt::format("{}:{}", name_, line_ + 1), "cannot be read on: {}", reason);
  end_ += static_cast<size_t>(bytes);
  at_end_ = bytes == 0;
  return bytes > 0;
}

bool LineReader::next(std::string& line) {
  if (again_) {
    again_ = false;
    line = last_;
    return true;
  }
  last_.clear();
  bool any = false, complete = false;
  while (!complete && (begin_ < end_ || fill())) {
    any = true;
    const char* from = buffer_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    const size_t length = newline != nullptr ? static_cast<size_t>(newline - from) : end_ - begin_;
    last_.append(from, length);
    complete = newline != nullptr;
    begin_ += length + (complete ? 1 : 0);
  }
  if (!any) return false;
  ++line_;
  if (!last_.empty() && last_.back() == '\r') last_.pop_back();
  check_text(last_, where());
  line = last_;
  return true;
}

std::string LineReader::where() const { return fmt::format("{}:{}", name_, line_); }

}  // namespace sesame
