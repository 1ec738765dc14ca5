// Tokens that are cut out of a text before words are made: [SEP], [MASK], and what users add.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sesame {

struct AddedToken {
  std::string content;
  int32_t id = 0;
  bool special = true;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // takes the white space after it along
  bool normalized = false;   // looked for in the normalised text, in normalised form
};

// A found token: bytes [begin, end) of the text searched; `token` points into the matcher.
struct AddedMatch {
  const AddedToken* token = nullptr;
  size_t begin = 0;
  size_t end = 0;
};

class AddedTokenMatcher {
 public:
  AddedTokenMatcher() = default;
  // patterns[i] is what to look for, in UTF-8 and not empty, to find tokens[i].
  AddedTokenMatcher(std::vector<AddedToken> tokens, std::vector<std::string> patterns);

  bool empty() const { return entries_.empty(); }

  // Replaces `matches` by the tokens in `text`, leftmost first, the longest where several begin at one place.
  // Under `plain_special` special tokens are ordinary text.
  void find(std::string_view text, bool plain_special, std::vector<AddedMatch>& matches) const;

 private:
  struct Entry {
    std::string pattern;
    AddedToken token;
  };
  const Entry* match_at(std::string_view text, size_t begin) const;

  std::vector<Entry> entries_;     // longest pattern first
  std::vector<bool> first_bytes_;  // [256]
  int only_first_byte_ = -1;       // if all patterns begin with the same byte
};

}  // namespace sesame
