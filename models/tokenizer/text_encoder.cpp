#include "models/tokenizer/text_encoder.h"

#include "autograd/check.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

AddedTokenMatcher make_matcher(const std::vector<AddedToken>& added, bool normalized,
                               const NormalizerOptions& options) {
  std::vector<AddedToken> tokens;
  std::vector<std::string> patterns;
  for (const AddedToken& token : added) {
    if (token.normalized != normalized) continue;
    std::string pattern = normalized ? normalize_text(token.content, options) : token.content;
    if (pattern.empty()) continue;
    tokens.push_back(token);
    patterns.push_back(std::move(pattern));
  }
  return {std::move(tokens), std::move(patterns)};
}

// Cuts normalised text (UTF-8, with the source of each byte) into words.
void cut_words(std::string_view text, const int32_t* source, const WordPiece& pieces, TokenSink& sink) {
  const UnicodeTables& tables = UnicodeTables::get();
  for (size_t i = 0; i < text.size();) {
    char32_t c = 0;
    const int length = decode_utf8(text.data() + i, text.data() + text.size(), c);
    const CharInfo& info = tables.info(c);
    if (info.is(kCharSpace)) {
      sink.flush(pieces);
    } else if (info.is(kCharPunctuation)) {
      sink.flush(pieces);
      sink.put(c, source[i]);
      sink.flush(pieces);
    } else {
      sink.put(c, source[i]);
    }
    i += static_cast<size_t>(length);
  }
  sink.flush(pieces);
}

}  // namespace

TextEncoder::TextEncoder(const NormalizerOptions& options, WordPiece pieces,
                         const std::vector<AddedToken>& added)
    : options_(options),
      pieces_(std::move(pieces)),
      scanner_(options),
      raw_added_(make_matcher(added, false, options)),
      normalized_added_(make_matcher(added, true, options)) {}

void TextEncoder::encode_ids(std::string_view text, bool plain_special, std::vector<int32_t>& ids) const {
  TokenSink sink{.ids = ids};
  run(text, plain_special, Path::kFast, sink);
}

void TextEncoder::encode(std::string_view text, bool plain_special, Encoding& out) const {
  TokenSink sink{.ids = out.ids, .details = &out};
  run(text, plain_special, Path::kFast, sink);
}

void TextEncoder::encode_plainly(std::string_view text, bool plain_special, Encoding& out) const {
  TokenSink sink{.ids = out.ids, .details = &out};
  run(text, plain_special, Path::kPlain, sink);
}

void TextEncoder::run(std::string_view text, bool plain_special, Path path, TokenSink& sink) const {
  std::vector<AddedMatch> matches;
  raw_added_.find(text, plain_special, matches);
  size_t done = 0;       // bytes of the text that are behind us
  int32_t position = 0;  // and code points
  for (const AddedMatch& match : matches) {
    if (done < match.begin) {
      const std::string_view piece = text.substr(done, match.begin - done);
      run_piece(piece, text.data(), position, plain_special, path, sink);
      position += static_cast<int32_t>(count_utf8(piece));
    } else {  // a token that begins with white space which the one before it took along
      position -= static_cast<int32_t>(count_utf8(text.substr(match.begin, done - match.begin)));
    }
    const int32_t begin = position;
    position += static_cast<int32_t>(count_utf8(text.substr(match.begin, match.end - match.begin)));
    sink.add(match.token->id, {begin, position});
    done = match.end;
  }
  if (done < text.size()) run_piece(text.substr(done), text.data(), position, plain_special, path, sink);
}

void TextEncoder::run_piece(std::string_view piece, const char* begin, int32_t position, bool plain_special,
                            Path path, TokenSink& sink) const {
  if (path == Path::kFast && normalized_added_.empty()) {
    const size_t tokens = sink.ids.size();
    const int32_t word_index = sink.word_index;
    if (scanner_.scan(piece, begin, position, pieces_, sink)) return;
    sink.ids.resize(tokens);
    if (sink.details) {
      sink.details->offsets.resize(tokens);
      sink.details->words.resize(tokens);
    }
    sink.word_index = word_index;
    sink.word.clear();
    sink.source.clear();
  }
  if (const auto fault = find_text_fault(piece)) {
    // Say it with the offset in the whole text.
    const std::string_view whole(begin, static_cast<size_t>(piece.data() + piece.size() - begin));
    fail("tokenizer", "{}", find_text_fault(whole).value_or(*fault));
  }
  run_plain(piece, position, plain_special, sink);
}

void TextEncoder::run_plain(std::string_view piece, int32_t position, bool plain_special,
                            TokenSink& sink) const {
  std::string text;
  std::vector<int32_t> source;  // of each byte of `text`
  for (const NormalChar& n : normalize(piece, options_, position)) {
    append_utf8(n.c, text);
    source.resize(text.size(), n.source);
  }
  std::vector<AddedMatch> matches;
  normalized_added_.find(text, plain_special, matches);
  size_t done = 0;
  for (const AddedMatch& match : matches) {
    if (done < match.begin) {
      cut_words(std::string_view(text).substr(done, match.begin - done), source.data() + done, pieces_, sink);
    }
    sink.add(match.token->id, {source[match.begin], source[match.end - 1] + 1});
    done = match.end;
  }
  if (done < text.size()) cut_words(std::string_view(text).substr(done), source.data() + done, pieces_, sink);
}

}  // namespace sesame
