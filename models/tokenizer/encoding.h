// What the tokenizer makes of one input: parallel vectors with one entry per token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sesame {

// Code points [begin, end) of a source text (of a source word, where the text came as words).
struct TokenSpan {
  int32_t begin = 0;
  int32_t end = 0;
  bool operator==(const TokenSpan&) const = default;
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;      // 0 for the first text with its [CLS] and [SEP], 1 for all others
  std::vector<TokenSpan> offsets;     // {0, 0} for tokens that the template added
  std::vector<int32_t> sequences;     // index of the text, -1 for tokens that the template added
  std::vector<int32_t> words;         // index of the word in its text, -1 for tokens that the template added
  std::vector<uint8_t> special_mask;  // 1 for tokens that the template added

  size_t size() const { return ids.size(); }
};

}  // namespace sesame
