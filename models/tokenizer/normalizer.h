// BERT's text normalisation, step by step as the reference does it. The tokenizer's fast path (word_scanner)
// folds the same steps into one pass; this is the plain form, used for the rare texts that the fast path
// leaves, and in tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sesame {

struct NormalizerOptions {
  bool clean_text = true;            // drop controls and U+FFFD
  bool handle_chinese_chars = true;  // spaces around ideographs
  bool strip_accents = true;         // NFD, then drop nonspacing marks
  bool lowercase = true;
};

// One character of a normalised text and the code point of the source it comes from.
struct NormalChar {
  char32_t c = 0;
  int32_t source = 0;
};

// `text` is UTF-8 without NUL, else throws Error. Sources count from `first_source`.
std::vector<NormalChar> normalize(std::string_view text, const NormalizerOptions& options,
                                  int32_t first_source = 0);

// The normalised text alone.
std::string normalize_text(std::string_view text, const NormalizerOptions& options);

}  // namespace sesame
