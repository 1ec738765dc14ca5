// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sesame {

// Reads the scalar value at `p` (p < end) into `c`; returns its length in bytes, 0 if the bytes are no UTF-8.
inline int decode_utf8(const char* p, const char* end, char32_t& c) {
  const auto byte = [p](int i) { return static_cast<uint8_t>(p[i]); };
  const auto tail = [p, end, byte](int i) { return end - p > i && (byte(i) & 0xC0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    c = lead;
    return 1;
  }
  if (lead >= 0xC2 && lead < 0xE0 && tail(1)) {
    c = (lead & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
    return 2;
  }
  if ((lead & 0xF0) == 0xE0 && tail(1) && tail(2)) {
    c = (lead & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    return c >= 0x800 && (c < 0xD800 || c > 0xDFFF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead < 0xF5 && tail(1) && tail(2) && tail(3)) {
    c = (lead & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    return c >= 0x10000 && c <= 0x10FFFF ? 4 : 0;
  }
  return 0;
}

// Writes `c` to `out` (room for 4 bytes); returns the number of bytes.
inline int encode_utf8(char32_t c, char* out) {
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  if (c < 0x800) {
    out[0] = static_cast<char>(0xC0 | c >> 6);
    out[1] = static_cast<char>(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = static_cast<char>(0xE0 | c >> 12);
    out[1] = static_cast<char>(0x80 | (c >> 6 & 0x3F));
    out[2] = static_cast<char>(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = static_cast<char>(0xF0 | c >> 18);
  out[1] = static_cast<char>(0x80 | (c >> 12 & 0x3F));
  out[2] = static_cast<char>(0x80 | (c >> 6 & 0x3F));
  out[3] = static_cast<char>(0x80 | (c & 0x3F));
  return 4;
}

inline void append_utf8(char32_t c, std::string& out) {
  char bytes[4];
  out.append(bytes, static_cast<size_t>(encode_utf8(c, bytes)));
}

// Scalar values in well-formed UTF-8.
inline size_t count_utf8(std::string_view text) {
  size_t count = 0;
  for (const char b : text) count += (static_cast<uint8_t>(b) & 0xC0) != 0x80;
  return count;
}

// What is wrong with a text, as a sentence for an error message ("invalid UTF-8 at byte offset 17 (0xff)",
// "NUL at byte offset 3"); nothing where it is well-formed UTF-8 without NUL.
std::optional<std::string> find_text_fault(std::string_view text);

}  // namespace sesame
