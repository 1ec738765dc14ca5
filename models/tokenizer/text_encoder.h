// From the text of one input to its tokens, without any template: added tokens are cut out, the rest is
// normalised, cut into words and split into pieces.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/added_tokens.h"
#include "models/tokenizer/word_scanner.h"

namespace sesame {

class TextEncoder {
 public:
  TextEncoder(const NormalizerOptions& options, WordPiece pieces, const std::vector<AddedToken>& added);

  // Appends the ids of a text. Under `plain_special` special tokens spelled out in it are ordinary text.
  // All of these throw Error for invalid UTF-8 and NUL.
  void encode_ids(std::string_view text, bool plain_special, std::vector<int32_t>& ids) const;

  // Appends ids, offsets and words of a text to `out` and leaves its other fields alone.
  void encode(std::string_view text, bool plain_special, Encoding& out) const;

  // The same by the plain path only, step by step; for tests.
  void encode_plainly(std::string_view text, bool plain_special, Encoding& out) const;

  const WordPiece& pieces() const { return pieces_; }

 private:
  enum class Path { kFast, kPlain };
  void run(std::string_view text, bool plain_special, Path path, TokenSink& sink) const;
  void run_piece(std::string_view piece, const char* begin, int32_t position, bool plain_special, Path path,
                 TokenSink& sink) const;
  void run_plain(std::string_view piece, int32_t position, bool plain_special, TokenSink& sink) const;

  NormalizerOptions options_;
  WordPiece pieces_;
  WordScanner scanner_;
  AddedTokenMatcher raw_added_;         // looked for in the text as it is
  AddedTokenMatcher normalized_added_;  // looked for in the normalised text
};

}  // namespace sesame
