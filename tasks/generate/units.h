// The words and marks of a text as BERT's tokenizers cut it: what the surface form is learned and put
// together from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/tokenizer.h"

namespace sesame {

// A word, or a punctuation mark or a Chinese character, which are words of their own.
struct Unit {
  std::string word;           // its pieces joined, as the vocabulary spells it
  std::string form;           // as it stands in the text
  bool space_before = false;  // of the first unit: false
};

std::vector<Unit> units_of(const Tokenizer& tokenizer, std::string_view text);

// Pieces joined to words ("play", "##ing" -> "playing"). Special tokens but [UNK] are left out.
std::vector<std::string> words_of(const Tokenizer& tokenizer, const std::vector<std::int64_t>& ids);

enum class UnitKind { Word, Number, Opener, Closer, Mark, Ideograph };
// By the first character: openers are marks such as ( [ „ «, closers . , ; : ! ? ) ] “ », and so on.
UnitKind kind_of(std::string_view word);
// Marks and ideographs may touch their neighbours; two words or numbers never do.
inline bool may_touch(UnitKind kind) { return kind != UnitKind::Word && kind != UnitKind::Number; }
inline bool is_mark(UnitKind kind) { return may_touch(kind) && kind != UnitKind::Ideograph; }

// With a capital as first letter.
std::string capitalized(std::string_view word);

// Words separated by single spaces.
std::string normalize_spaces(std::string_view text);

}  // namespace sesame
