#include "models/io/utf8.h"

#include <cstdint>
#include <cstring>

#include "autograd/check.h"

namespace sesame {

namespace {

constexpr uint64_t kHighBits = 0x8080808080808080ULL;

bool is_continuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length of the well-formed sequence that starts at p, 0 if there is none (Unicode, table 3-7).
size_t sequence_length(const unsigned char* p, size_t left) {
  const unsigned char lead = p[0];
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (left < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if (!is_continuation(p[i])) return 0;
  }
  if (lead == 0xE0 && p[1] < 0xA0) return 0;   // overlong
  if (lead == 0xED && p[1] >= 0xA0) return 0;  // surrogate
  if (lead == 0xF0 && p[1] < 0x90) return 0;   // overlong
  if (lead == 0xF4 && p[1] >= 0x90) return 0;  // above U+10FFFF
  return length;
}

}  // namespace

size_t find_invalid_utf8(std::string_view text) {
  const auto* p = reinterpret_cast<const unsigned char*>(text.data());
  size_t i = 0;
  while (i < text.size()) {
    uint64_t eight;
    while (i + 8 <= text.size() && (std::memcpy(&eight, p + i, 8), (eight & kHighBits) == 0)) i += 8;
    if (i == text.size()) break;
    const size_t length = sequence_length(p + i, text.size() - i);
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

size_t count_code_points(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += !is_continuation(static_cast<unsigned char>(c));
  return count;
}

void check_text(std::string_view text, const std::string& where) {
  const size_t invalid = find_invalid_utf8(text);
  SESAME_CHECK(invalid == std::string_view::npos, where,
               "invalid UTF-8 at byte {} of the line (0x{:02X}); convert the file to UTF-8", invalid + 1,
               static_cast<unsigned>(static_cast<unsigned char>(text[invalid])));
  const size_t nul = text.empty() ? std::string_view::npos : text.find('\0');
  SESAME_CHECK(nul == std::string_view::npos, where,
               "NUL byte at byte {} of the line; the file is not text (UTF-16 saved? convert it to UTF-8)",
               nul + 1);
}

}  // namespace sesame
