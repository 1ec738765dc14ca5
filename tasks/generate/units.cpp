#include "tasks/generate/units.h"

#include <algorithm>
#include <unordered_map>

#include "models/tokenizer/unicode_tables.h"
#include "models/tokenizer/utf8.h"
#include "tasks/metrics/ngrams.h"

namespace sesame {
namespace {

constexpr std::string_view kContinues = "##";
constexpr std::u32string_view kOpeners = U"([{«‹„‚“‘¿¡（［｛「『《〈【";
constexpr std::u32string_view kClosers = U".,;:!?)]}»›”’%…。，、；：！？）］｝」』》〉】";

char32_t first_character(std::string_view word) {
  char32_t c = 0;
  if (!word.empty()) decode_utf8(word.data(), word.data() + word.size(), c);
  return c;
}

// Byte at which each code point begins, and the end of the text.
std::vector<std::size_t> code_point_bytes(std::string_view text) {
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) begins.push_back(i);
  }
  begins.push_back(text.size());
  return begins;
}

std::string_view without_prefix(std::string_view piece) {
  return piece.starts_with(kContinues) && piece.size() > kContinues.size() ? piece.substr(kContinues.size())
                                                                           : piece;
}

// Capital of each small letter that has one; the tables know only the other direction.
const std::unordered_map<char32_t, char32_t>& capitals() {
  static const std::unordered_map<char32_t, char32_t> map = [] {
    std::unordered_map<char32_t, char32_t> found;
    const UnicodeTables& tables = UnicodeTables::get();
    for (char32_t c = 0; c < 0x20000; ++c) {
      const std::int32_t delta = tables.info(c).lower_delta;
      if (delta != 0) found.try_emplace(static_cast<char32_t>(static_cast<std::int32_t>(c) + delta), c);
    }
    return found;
  }();
  return map;
}

}  // namespace

std::vector<Unit> units_of(const Tokenizer& tokenizer, std::string_view text) {
  const Encoding encoding = tokenizer.encode(text, {.plain_special = true});
  const std::vector<std::size_t> bytes = code_point_bytes(text);
  std::vector<Unit> units;
  std::int32_t word = -1, begin = 0, end = 0;
  for (std::size_t i = 0; i < encoding.size(); ++i) {
    if (encoding.special_mask[i] != 0) continue;
    const TokenSpan span = encoding.offsets[i];
    if (units.empty() || encoding.words[i] != word) {
      units.push_back({.space_before = !units.empty() && span.begin > end});
      begin = span.begin;
      word = encoding.words[i];
    }
    end = span.end;
    units.back().word += without_prefix(tokenizer.token(encoding.ids[i]));
    const std::size_t from = bytes[static_cast<std::size_t>(begin)];
    units.back().form = text.substr(from, bytes[static_cast<std::size_t>(end)] - from);
  }
  return units;
}

std::vector<std::string> words_of(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids) {
  std::vector<std::string> words;
  for (const std::int64_t id : ids) {
    const auto known = static_cast<std::int32_t>(id);
    if (known == tokenizer.cls_id() || known == tokenizer.sep_id() || known == tokenizer.pad_id() ||
        known == tokenizer.mask_id()) {
      continue;
    }
    const std::string& piece = tokenizer.token(known);
    const std::string_view plain = without_prefix(piece);
    if (words.empty() || plain.size() == piece.size()) words.emplace_back();
    words.back() += plain;
  }
  return words;
}

UnitKind kind_of(std::string_view word) {
  const char32_t c = first_character(word);
  const CharInfo& info = UnicodeTables::get().info(c);
  if (info.is(kCharCjk)) return UnitKind::Ideograph;
  if (c >= '0' && c <= '9') return UnitKind::Number;
  if (!info.is(kCharPunctuation) || count_utf8(word) != 1) return UnitKind::Word;
  if (kOpeners.find(c) != std::u32string_view::npos) return UnitKind::Opener;
  return kClosers.find(c) != std::u32string_view::npos ? UnitKind::Closer : UnitKind::Mark;
}

std::string capitalized(std::string_view word) {
  const char32_t c = first_character(word);
  const auto found = capitals().find(c);
  if (word.empty() || found == capitals().end()) return std::string(word);
  std::string text;
  append_utf8(found->second, text);
  char first[4];
  text += word.substr(static_cast<std::size_t>(encode_utf8(c, first)));
  return text;
}

std::string normalize_spaces(std::string_view text) {
  std::string joined;
  for (const std::string& word : split_white_space(text)) joined += (joined.empty() ? "" : " ") + word;
  return joined;
}

}  // namespace sesame
