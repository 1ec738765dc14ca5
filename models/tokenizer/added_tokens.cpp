#include "models/tokenizer/added_tokens.h"

#include <algorithm>

#include "models/tokenizer/unicode_tables.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

// The character that begins at / ends before a byte position of well-formed UTF-8; 0 for other bytes.
char32_t char_at(std::string_view text, size_t begin) {
  char32_t c = 0;
  return decode_utf8(text.data() + begin, text.data() + text.size(), c) > 0 ? c : 0;
}
size_t previous(std::string_view text, size_t end) {
  size_t begin = end - 1;
  while (begin > 0 && (static_cast<uint8_t>(text[begin]) & 0xC0) == 0x80) --begin;
  return begin;
}

bool has_flag(char32_t c, CharFlag flag) { return UnicodeTables::get().info(c).is(flag); }

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  if (begin > 0 && has_flag(char_at(text, previous(text, begin)), kCharWord)) return false;
  return end == text.size() || !has_flag(char_at(text, end), kCharWord);
}

size_t skip_spaces_back(std::string_view text, size_t begin) {
  while (begin > 0) {
    const size_t before = previous(text, begin);
    if (!has_flag(char_at(text, before), kCharSpace)) break;
    begin = before;
  }
  return begin;
}

size_t skip_spaces(std::string_view text, size_t end) {
  while (end < text.size()) {
    const char32_t c = char_at(text, end);
    if (!has_flag(c, kCharSpace)) break;
    char bytes[4];
    end += static_cast<size_t>(encode_utf8(c, bytes));
  }
  return end;
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens, std::vector<std::string> patterns)
    : first_bytes_(256) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    entries_.push_back({std::move(patterns[i]), std::move(tokens[i])});
  }
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.pattern.size() > b.pattern.size(); });
  for (const Entry& e : entries_) first_bytes_[static_cast<uint8_t>(e.pattern[0])] = true;
  if (std::count(first_bytes_.begin(), first_bytes_.end(), true) == 1) {
    only_first_byte_ = static_cast<uint8_t>(entries_[0].pattern[0]);
  }
}

const AddedTokenMatcher::Entry* AddedTokenMatcher::match_at(std::string_view text, size_t begin) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return text.substr(begin).starts_with(e.pattern); });
  return found == entries_.end() ? nullptr : &*found;
}

void AddedTokenMatcher::find(std::string_view text, bool plain_special,
                             std::vector<AddedMatch>& matches) const {
  matches.clear();
  if (entries_.empty()) return;
  size_t taken = 0;  // end of the last match, with its stripped space
  for (size_t i = 0; i < text.size();) {
    if (only_first_byte_ >= 0) {
      i = std::min(text.find(static_cast<char>(only_first_byte_), i), text.size());
    } else {
      while (i < text.size() && !first_bytes_[static_cast<uint8_t>(text[i])]) ++i;
    }
    if (i == text.size()) break;
    const Entry* entry = match_at(text, i);
    if (!entry) {
      ++i;
      continue;
    }
    size_t begin = i;
    size_t end = begin + entry->pattern.size();
    i = end;  // a match that is discarded below still hides what it covers
    if (plain_special && entry->token.special) continue;
    if (entry->token.single_word && !stands_alone(text, begin, end)) continue;
    if (entry->token.lstrip) begin = std::max(skip_spaces_back(text, begin), taken);
    if (entry->token.rstrip) end = skip_spaces(text, end);
    matches.push_back({&entry->token, begin, end});
    taken = end;
  }
}

}  // namespace sesame
