// What BERT's normaliser and pre-tokeniser know of each Unicode scalar value. The data are frozen in
// unicode_data.inc, which make_unicode_tables.py read off the reference implementation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sesame {

enum CharFlag : uint8_t {
  kCharRemoved = 1,      // dropped by clean_text (controls, formats, private use, U+FFFD)
  kCharSpace = 2,        // ends a word
  kCharCjk = 4,          // a word of its own under handle_chinese_chars
  kCharPunctuation = 8,  // a word of its own, always
  kCharMark = 16,        // dropped by strip_accents
  kCharWord = 32,        // \w, for added tokens with single_word
  kCharReordered = 64,   // NFD may move it or a part of it, and strip_accents keeps it
};

struct CharInfo {
  uint8_t flags = 0;
  uint8_t combining = 0;             // rank of the canonical combining class, 0 for a starter
  uint8_t decomposition_length = 0;  // 0: is its own decomposition
  uint16_t decomposition_begin = 0;
  int32_t lower_delta = 0;  // add it to get the lower-case letter

  bool is(CharFlag flag) const { return (flags & flag) != 0; }
  bool operator==(const CharInfo&) const = default;
};

// U+0130 is the one letter whose lower case is two characters: "i", U+0307.
constexpr char32_t kCapitalIWithDot = 0x130;
constexpr char32_t kDotAbove = 0x307;

// Hangul syllables, decomposed by arithmetic into two or three letters, all of them starters.
inline bool is_hangul_syllable(char32_t c) { return c >= 0xAC00 && c <= 0xD7A3; }
inline int decompose_hangul(char32_t c, char32_t (&out)[3]) {
  const char32_t index = c - 0xAC00;
  out[0] = 0x1100 + index / 588;
  out[1] = 0x1161 + index % 588 / 28;
  out[2] = 0x11A7 + index % 28;
  return index % 28 == 0 ? 2 : 3;
}

// Two-stage table: blocks of 128 values, equal blocks stored once, cells that point to distinct records.
class UnicodeTables {
 public:
  static const UnicodeTables& get();  // built once, in about a millisecond

  // c <= 0x10FFFF.
  const CharInfo& info(char32_t c) const { return records_[cells_[blocks_[c >> 7] + (c & 127)]]; }

  // Full canonical decomposition (not for Hangul syllables); empty if `info` has none.
  std::span<const char32_t> decomposition(const CharInfo& info) const {
    return {parts_.data() + info.decomposition_begin, info.decomposition_length};
  }

 private:
  UnicodeTables();

  std::vector<uint32_t> blocks_;  // [0x110000 / 128] -> beginning in cells_
  std::u16string cells_;          // -> index in records_
  std::vector<CharInfo> records_;
  std::vector<char32_t> parts_;
};

}  // namespace sesame
