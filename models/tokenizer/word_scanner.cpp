#include "models/tokenizer/word_scanner.h"

#include "autograd/check.h"
#include "models/tokenizer/utf8.h"

namespace sesame {

void TokenSink::put(char32_t c, int32_t position) {
  char bytes[4];
  const int length = encode_utf8(c, bytes);
  word.insert(word.end(), bytes, bytes + length);
  if (details) source.insert(source.end(), static_cast<size_t>(length), position);
}

void TokenSink::flush(const WordPiece& pieces) {
  if (word.empty()) return;
  const std::string_view text(word.data(), word.size());
  if (!details) {
    pieces.split(text, ids, nullptr);
    word.clear();
    return;
  }
  ends.clear();
  pieces.split(text, ids, &ends);
  size_t begin = 0;
  for (const int32_t end : ends) {
    details->offsets.push_back({source[begin], source[static_cast<size_t>(end) - 1] + 1});
    details->words.push_back(word_index);
    begin = static_cast<size_t>(end);
  }
  ++word_index;
  word.clear();
  source.clear();
}

void TokenSink::add(int32_t id, TokenSpan span) {
  ids.push_back(id);
  if (!details) return;
  details->offsets.push_back(span);
  details->words.push_back(word_index++);
}

WordScanner::WordScanner(const NormalizerOptions& options) : options_(options) {
  kinds_.fill(kWide);
  folded_.fill(0);
  for (uint8_t b = 0; b < 0x80; ++b) {
    const CharInfo& info = tables_.info(b);
    kinds_[b] = options.clean_text && info.is(kCharRemoved) ? kDropped
                : info.is(kCharSpace)                       ? kSpace
                : info.is(kCharPunctuation)                 ? kPunctuation
                                                            : kLetter;
    folded_[b] = static_cast<char>(b + (options.lowercase ? info.lower_delta : 0));
  }
  kinds_[0] = kNul;
}

// One normalised character: `c` without its accents, not yet in lower case.
void WordScanner::put(char32_t c, const CharInfo& info, int32_t position, const WordPiece& pieces,
                      TokenSink& sink) const {
  if (options_.strip_accents && info.is(kCharMark)) return;
  if (info.is(kCharSpace)) return sink.flush(pieces);
  if (info.is(kCharPunctuation)) {
    sink.flush(pieces);
    sink.put(c, position);
    return sink.flush(pieces);
  }
  if (!options_.lowercase) return sink.put(c, position);
  sink.put(static_cast<char32_t>(static_cast<int32_t>(c) + info.lower_delta), position);
  if (c == kCapitalIWithDot) sink.put(kDotAbove, position);
}

bool WordScanner::scan_wide(char32_t c, int32_t position, const WordPiece& pieces, TokenSink& sink) const {
  const CharInfo& info = tables_.info(c);
  if (options_.clean_text && info.is(kCharRemoved)) return true;
  const bool alone = options_.handle_chinese_chars && info.is(kCharCjk);
  if (alone) sink.flush(pieces);
  if (!options_.strip_accents) {
    put(c, info, position, pieces, sink);
  } else if (info.is(kCharReordered)) {
    return false;
  } else if (is_hangul_syllable(c)) {
    char32_t jamo[3];
    for (int i = 0, n = decompose_hangul(c, jamo); i < n; ++i) sink.put(jamo[i], position);
  } else if (info.decomposition_length == 0) {
    put(c, info, position, pieces, sink);
  } else {
    for (const char32_t part : tables_.decomposition(info))
      put(part, tables_.info(part), position, pieces, sink);
  }
  if (alone) sink.flush(pieces);
  return true;
}

template <bool kDetails>
bool WordScanner::scan_bytes(std::string_view text, const char* begin, int32_t position,
                             const WordPiece& pieces, TokenSink& sink) const {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const auto b = static_cast<uint8_t>(*p);
    switch (kinds_[b]) {
      case kLetter: {
        const char* q = p + 1;
        while (q < end && kinds_[static_cast<uint8_t>(*q)] == kLetter) ++q;
        const auto count = static_cast<size_t>(q - p);
        const size_t before = sink.word.size();
        sink.word.resize(before + count);
        for (size_t i = 0; i < count; ++i) sink.word[before + i] = folded_[static_cast<uint8_t>(p[i])];
        if constexpr (kDetails) {
          for (size_t i = 0; i < count; ++i) sink.source.push_back(position + static_cast<int32_t>(i));
        }
        position += static_cast<int32_t>(count);
        p = q;
        break;
      }
      case kPunctuation:
        sink.flush(pieces);
        sink.put(b, position);
        [[fallthrough]];
      case kSpace:
        sink.flush(pieces);
        [[fallthrough]];
      case kDropped:
        ++position;
        ++p;
        break;
      case kNul:
        fail("tokenizer", "NUL at byte offset {}", p - begin);
      case kWide: {
        char32_t c = 0;
        const int length = decode_utf8(p, end, c);
        SESAME_CHECK(length > 0, "tokenizer", "invalid UTF-8 at byte offset {} (0x{:02x})", p - begin, b);
        if (!scan_wide(c, position, pieces, sink)) return false;
        ++position;
        p += length;
        break;
      }
    }
  }
  sink.flush(pieces);
  return true;
}

bool WordScanner::scan(std::string_view text, const char* begin, int32_t position, const WordPiece& pieces,
                       TokenSink& sink) const {
  return sink.details ? scan_bytes<true>(text, begin, position, pieces, sink)
                      : scan_bytes<false>(text, begin, position, pieces, sink);
}

}  // namespace sesame
