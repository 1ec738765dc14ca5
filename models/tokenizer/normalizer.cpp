#include "models/tokenizer/normalizer.h"

#include <algorithm>

#include "autograd/check.h"
#include "models/tokenizer/unicode_tables.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

using Chars = std::vector<NormalChar>;

const CharInfo& info_of(char32_t c) { return UnicodeTables::get().info(c); }

Chars decode(std::string_view text, int32_t source) {
  if (const auto fault = find_text_fault(text)) fail("tokenizer", "{}", *fault);
  Chars chars;
  chars.reserve(text.size());
  for (const char *p = text.data(), *end = p + text.size(); p < end;) {
    char32_t c = 0;
    p += decode_utf8(p, end, c);
    chars.push_back({c, source++});
  }
  return chars;
}

Chars clean(const Chars& in) {
  Chars out;
  for (const auto& [c, source] : in) {
    const CharInfo& info = info_of(c);
    if (!info.is(kCharRemoved)) out.push_back({info.is(kCharSpace) ? U' ' : c, source});
  }
  return out;
}

Chars space_ideographs(const Chars& in) {
  Chars out;
  for (const auto& [c, source] : in) {
    const bool alone = info_of(c).is(kCharCjk);
    if (alone) out.push_back({U' ', source});
    out.push_back({c, source});
    if (alone) out.push_back({U' ', source});
  }
  return out;
}

// A character of a decomposition. The first one of each replaces a source character, the rest are insertions.
struct Part {
  char32_t c;
  uint8_t combining;
  bool inserted;
};

void append_decomposition(char32_t c, std::vector<Part>& out) {
  char32_t jamo[3];
  if (is_hangul_syllable(c)) {
    for (int i = 0, n = decompose_hangul(c, jamo); i < n; ++i) out.push_back({jamo[i], 0, i > 0});
    return;
  }
  const CharInfo& info = info_of(c);
  if (info.decomposition_length == 0) out.push_back({c, info.combining, false});
  const auto parts = UnicodeTables::get().decomposition(info);
  for (size_t i = 0; i < parts.size(); ++i) out.push_back({parts[i], info_of(parts[i]).combining, i > 0});
}

// Canonical order: each run of marks sorted by class, equal classes as they came.
void reorder_marks(std::vector<Part>& parts) {
  for (auto begin = parts.begin(); begin != parts.end();) {
    if (begin->combining == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, parts.end(), [](const Part& p) { return p.combining == 0; });
    std::stable_sort(begin, end, [](const Part& a, const Part& b) { return a.combining < b.combining; });
    begin = end;
  }
}

// NFD without nonspacing marks. Where marks change places the reference still counts sources in the new
// order: each replacement takes the next source character and each insertion that of the one before; so do
// we.
Chars strip_accents(const Chars& in) {
  std::vector<Part> parts;
  for (const auto& [c, source] : in) append_decomposition(c, parts);
  reorder_marks(parts);
  Chars out;
  size_t next = 0;
  for (const Part& part : parts) {
    if (!part.inserted) ++next;
    if (!info_of(part.c).is(kCharMark)) out.push_back({part.c, in[next - 1].source});
  }
  return out;
}

Chars lower(const Chars& in) {
  Chars out;
  for (const auto& [c, source] : in) {
    out.push_back({static_cast<char32_t>(static_cast<int32_t>(c) + info_of(c).lower_delta), source});
    if (c == kCapitalIWithDot) out.push_back({kDotAbove, source});
  }
  return out;
}

}  // namespace

std::vector<NormalChar> normalize(std::string_view text, const NormalizerOptions& options,
                                  int32_t first_source) {
  Chars chars = decode(text, first_source);
  if (options.clean_text) chars = clean(chars);
  if (options.handle_chinese_chars) chars = space_ideographs(chars);
  if (options.strip_accents) chars = strip_accents(chars);
  if (options.lowercase) chars = lower(chars);
  return chars;
}

std::string normalize_text(std::string_view text, const NormalizerOptions& options) {
  std::string out;
  for (const NormalChar& n : normalize(text, options)) append_utf8(n.c, out);
  return out;
}

}  // namespace sesame
