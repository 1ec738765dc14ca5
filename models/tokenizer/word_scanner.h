// The tokenizer's fast path: one pass over the bytes of a text that normalises, cuts words and splits them
// into pieces. Equal to normalize() followed by the plain cutting in text_encoder.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "models/tokenizer/encoding.h"
#include "models/tokenizer/normalizer.h"
#include "models/tokenizer/unicode_tables.h"
#include "models/tokenizer/wordpiece.h"

namespace sesame {

// Where tokens of a text are collected, and the word that is being read.
struct TokenSink {
  std::vector<int32_t>& ids;
  Encoding* details = nullptr;  // offsets and words are appended here, if wanted
  int32_t word_index = 0;       // of the next word
  std::vector<char> word = {};  // bytes of the word being read
  std::vector<int32_t> source =
      {};                          // code point of the source behind each byte of `word` (only with details)
  std::vector<int32_t> ends = {};  // scratch: ends of pieces

  void put(char32_t c, int32_t position);  // appends one character to the word
  void flush(const WordPiece& pieces);     // ends the word: its pieces go to ids and details
  void add(int32_t id, TokenSpan span);    // a token that is a word of its own
};

class WordScanner {
 public:
  explicit WordScanner(const NormalizerOptions& options);

  // Appends the tokens of `text`, whose first code point has number `position`. Returns false, with some
  // tokens possibly appended, if the text holds marks that NFD might move: take the plain path then. Throws
  // Error for invalid UTF-8 and NUL; their offsets are counted from `begin`, where the whole text begins.
  bool scan(std::string_view text, const char* begin, int32_t position, const WordPiece& pieces,
            TokenSink& sink) const;

 private:
  enum ByteKind : uint8_t { kLetter, kSpace, kPunctuation, kDropped, kNul, kWide };

  template <bool kDetails>
  bool scan_bytes(std::string_view text, const char* begin, int32_t position, const WordPiece& pieces,
                  TokenSink& sink) const;
  bool scan_wide(char32_t c, int32_t position, const WordPiece& pieces, TokenSink& sink) const;
  void put(char32_t c, const CharInfo& info, int32_t position, const WordPiece& pieces,
           TokenSink& sink) const;

  NormalizerOptions options_;
  const UnicodeTables& tables_ = UnicodeTables::get();
  std::array<ByteKind, 256> kinds_;
  std::array<char, 256> folded_;  // ASCII in lower case, if wanted
};

}  // namespace sesame
