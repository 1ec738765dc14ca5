#include "models/tokenizer/utf8.h"

#include <fmt/core.h>

#include <cstring>

namespace sesame {
namespace {

// True if all eight bytes are ASCII other than NUL.
bool plain_ascii(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  const uint64_t low = 0x0101010101010101u;
  return ((word | (word - low)) & (low << 7)) == 0;
}

}  // namespace

std::optional<std::string> find_text_fault(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* p = begin;
  while (p < end) {
    if (end - p >= 8 && plain_ascii(p)) {
      p += 8;
      continue;
    }
    char32_t c = 0;
    const int length = decode_utf8(p, end, c);
    if (length == 0) {
      return fmt::format("invalid UTF-8 at byte offset {} (0x{:02x})", p - begin, static_cast<uint8_t>(*p));
    }
    if (c == 0) return fmt::format("NUL at byte offset {}", p - begin);
    p += length;
  }
  return std::nullopt;
}

}  // namespace sesame
