#include "tasks/metrics/python_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "models/tokenizer/unicode_tables.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

#include "tasks/metrics/python_text.inc"

// For the rule of the final sigma a character is cased, or is passed over, or ends the word.
enum Flag : std::uint32_t { kWord = 1, kSpace = 2, kCased = 4, kIgnorable = 8 };

bool is(char32_t c, Flag flag) {
  const auto key = static_cast<std::uint32_t>(c) << 4 | 15;
  return (*std::prev(std::upper_bound(std::begin(kRanges), std::end(kRanges), key)) & flag) != 0;
}

constexpr char32_t kCapitalSigma = 0x3A3, kSigma = 0x3C3, kFinalSigma = 0x3C2;

// Unicode's condition Final_Sigma (SpecialCasing.txt): a cased letter before it and none after it.
bool ends_word(std::u32string_view text, std::size_t i) {
  std::size_t before = i, after = i + 1;
  while (before > 0 && is(text[before - 1], kIgnorable)) --before;
  if (before == 0 || !is(text[before - 1], kCased)) return false;
  while (after < text.size() && is(text[after], kIgnorable)) ++after;
  return after == text.size() || !is(text[after], kCased);
}

}  // namespace

std::u32string to_code_points(std::string_view text) {
  std::u32string points;
  points.reserve(text.size());
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    char32_t c = 0;
    const int length = decode_utf8(p, end, c);
    points += length > 0 ? c : U'\uFFFD';
    p += std::max(length, 1);
  }
  return points;
}

std::string to_utf8(std::u32string_view text) {
  std::string bytes;
  for (const char32_t c : text) append_utf8(c, bytes);
  return bytes;
}

std::u32string python_lower(std::u32string_view text) {
  const UnicodeTables& tables = UnicodeTables::get();
  std::u32string lower;
  lower.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    if (c == kCapitalSigma) {
      lower += ends_word(text, i) ? kFinalSigma : kSigma;
    } else {
      lower += static_cast<char32_t>(static_cast<std::int32_t>(c) + tables.info(c).lower_delta);
      if (c == kCapitalIWithDot) lower += kDotAbove;
    }
  }
  return lower;
}

bool python_is_space(char32_t c) { return is(c, kSpace); }
bool python_is_word(char32_t c) { return is(c, kWord); }

std::vector<std::u32string> python_split(std::u32string_view text) {
  std::vector<std::u32string> parts;
  bool inside = false;
  for (const char32_t c : text) {
    if (python_is_space(c)) {
      inside = false;
      continue;
    }
    if (!inside) parts.emplace_back();
    inside = true;
    parts.back() += c;
  }
  return parts;
}

}  // namespace sesame
