// n-grams of a sequence of symbols (words by number, or code points): what the text metrics count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sesame {

// The words of a text that are separated by white space, as Python's str.split() sees it.
std::vector<std::string> split_white_space(std::string_view text);

// Numbers words, so that a sentence becomes a string of symbols. One per comparison.
class WordNumbers {
 public:
  std::u32string operator()(const std::vector<std::string>& words) {
    std::u32string symbols;
    for (const std::string& word : words) {
      symbols += static_cast<char32_t>(numbers_.try_emplace(word, numbers_.size()).first->second);
    }
    return symbols;
  }

 private:
  std::unordered_map<std::string, std::size_t> numbers_;
};

// How often which n-gram occurs. The keys are views into the sequence, which must outlive them.
using NgramCounts = std::unordered_map<std::u32string_view, std::int64_t>;

inline NgramCounts count_ngrams(std::u32string_view sequence, std::size_t n) {
  NgramCounts counts;
  for (std::size_t i = 0; i + n <= sequence.size(); ++i) ++counts[sequence.substr(i, n)];
  return counts;
}

// n-grams of a sequence of so many symbols.
inline std::int64_t ngram_total(std::size_t symbols, std::size_t n) {
  return symbols < n ? 0 : static_cast<std::int64_t>(symbols - n + 1);
}

// Size of the intersection: each n-gram as often as it occurs in both.
inline std::int64_t common_ngrams(const NgramCounts& a, const NgramCounts& b) {
  std::int64_t common = 0;
  for (const auto& [ngram, count] : a) {
    if (const auto found = b.find(ngram); found != b.end()) common += std::min(count, found->second);
  }
  return common;
}

}  // namespace sesame
