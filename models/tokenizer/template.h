// From the tokens of n texts to one model input: [CLS] a [SEP] b [SEP] c [SEP] ..., and what is cut away when
// it is too long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/tokenizer/encoding.h"

namespace sesame {

struct InputTemplate {
  int32_t cls_id = 0;
  int32_t sep_id = 0;

  // Tokens that the template adds to `texts` texts.
  static size_t added(size_t texts) { return texts + 1; }
};

// Tokens [begin, end) of a text.
struct TokenRange {
  size_t begin = 0;
  size_t end = 0;
};

// Truncation "longest_first": how many tokens of each text stay, at most `budget` in all. Short texts stay
// whole; the long ones share what is left evenly, an odd token going to the longer (of equals, the later)
// text. For one and two texts this is what Hugging Face tokenizers do.
std::vector<size_t> longest_first(std::span<const size_t> lengths, size_t budget);

// Windows of at most `size` tokens over `length` tokens, each beginning size - stride after the one before
// it, the last one ending at the end. One window if everything fits. 0 <= stride < size.
std::vector<TokenRange> stride_windows(size_t length, size_t size, size_t stride);

// The input made of ranges[i] of texts[i], all fields filled.
Encoding join(const InputTemplate& form, std::span<const Encoding> texts, std::span<const TokenRange> ranges);

}  // namespace sesame
