#include "tasks/tag/word_input.h"

#include <algorithm>
#include <limits>

#include "autograd/check.h"
#include "models/tokenizer/template.h"

namespace sesame {
namespace {

constexpr std::int64_t kWindowsPerExample = 64;

// Tokens of all words end to end, and the first one of each.
struct WordTokens {
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> firsts;
  std::size_t unknown = 0;
};

WordTokens tokenize_words(const Tokenizer& tokenizer, const std::vector<std::string>& words,
                          bool plain_special) {
  WordTokens tokens;
  for (const std::string& word : words) {
    tokens.firsts.push_back(tokens.ids.size());
    tokenizer.encode_ids(word, tokens.ids, plain_special);
    if (tokens.ids.size() > tokens.firsts.back()) continue;
    tokens.ids.push_back(tokenizer.unk_id());
    ++tokens.unknown;
  }
  return tokens;
}

// The part of the input behind the words: text [SEP] for each further text, `room` tokens of text in all.
std::vector<std::int32_t> tokenize_contexts(const Tokenizer& tokenizer, const WordSentence& sentence,
                                            std::size_t budget, std::size_t words, bool plain_special) {
  std::vector<std::vector<std::int32_t>> texts;
  std::vector<std::size_t> lengths;
  for (const std::string& text : sentence.contexts) {
    tokenizer.encode_ids(text, texts.emplace_back(), plain_special);
    lengths.push_back(texts.back().size());
  }
  const std::size_t left = words < budget ? budget - words : 0, room = std::max(left, budget / 4);
  const std::vector<std::size_t> kept = longest_first(lengths, room);
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ids.insert(ids.end(), texts[i].begin(), texts[i].begin() + static_cast<std::ptrdiff_t>(kept[i]));
    ids.push_back(tokenizer.sep_id());
  }
  return ids;
}

// How much of the sentence a window shows around token t on its shorter side; its own ends do not cut
// anything off.
std::size_t seen_around(std::size_t t, const TokenRange& window, std::size_t length) {
  constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();
  return std::min(window.begin == 0 ? whole : t - window.begin,
                  window.end == length ? whole : window.end - 1 - t);
}

TokenSequence make_window(const Tokenizer& tokenizer, const std::vector<std::int32_t>& words,
                          const TokenRange& range, const std::vector<std::int32_t>& context,
                          std::int64_t example) {
  TokenSequence window;
  window.example = example;
  window.ids.push_back(tokenizer.cls_id());
  window.ids.insert(window.ids.end(), words.begin() + static_cast<std::ptrdiff_t>(range.begin),
                    words.begin() + static_cast<std::ptrdiff_t>(range.end));
  window.ids.push_back(tokenizer.sep_id());
  window.type_ids.assign(window.ids.size(), 0);
  window.ids.insert(window.ids.end(), context.begin(), context.end());
  window.type_ids.resize(window.ids.size(), 1);
  return window;
}

}  // namespace

std::int64_t WordInput::tokens() const {
  std::int64_t count = 0;
  for (const TokenSequence& window : windows) count += static_cast<std::int64_t>(window.ids.size());
  return count;
}

WordInput make_word_input(const Tokenizer& tokenizer, const WordSentence& sentence,
                          const WordInputOptions& options, std::int64_t example) {
  WordInput input;
  input.example = example;
  if (sentence.words.empty()) return input;
  const WordTokens tokens = tokenize_words(tokenizer, sentence.words, options.plain_special);
  input.unknown_words = tokens.unknown;
  const std::size_t length = tokens.ids.size(), budget = static_cast<std::size_t>(options.max_length) -
                                                         InputTemplate::added(sentence.contexts.size() + 1);
  const std::vector<std::int32_t> context =
      tokenize_contexts(tokenizer, sentence, budget, length, options.plain_special);
  const std::size_t room = budget - (context.size() - sentence.contexts.size());
  const std::vector<TokenRange> ranges =
      stride_windows(length, room, static_cast<std::size_t>(options.stride));
  for (std::size_t w = 0; w < ranges.size(); ++w) {
    const std::int64_t number =
        example * kWindowsPerExample + static_cast<std::int64_t>(w) % kWindowsPerExample;
    input.windows.push_back(make_window(tokenizer, tokens.ids, ranges[w], context, number));
  }
  for (const std::size_t t : tokens.firsts) {
    std::size_t best = ranges.size();
    for (std::size_t w = 0; w < ranges.size(); ++w) {
      if (t < ranges[w].begin || t >= ranges[w].end) continue;
      if (best == ranges.size() || seen_around(t, ranges[w], length) > seen_around(t, ranges[best], length)) {
        best = w;
      }
    }
    input.places.push_back({best, static_cast<std::int64_t>(t - ranges[best].begin) + 1});
  }
  return input;
}

void check_stride(const WordInputOptions& options, std::size_t contexts) {
  const std::int64_t budget =
      options.max_length - static_cast<std::int64_t>(InputTemplate::added(contexts + 1));
  const std::int64_t room = contexts > 0 ? budget - budget / 4 : budget;
  SESAME_CHECK(options.stride >= 0 && options.stride<room, "--stride",
                                                     "{} is out of range: windows of --max-length {}{} have "
                                                     "room for {} tokens of words, so 0 to {} "
                                                     "are possible",
                                                     options.stride, options.max_length, contexts> 0
                   ? " with further texts"
                   : "",
               room, room - 1);
}

WordBatch pack_words(const std::vector<WordInput>& inputs, std::int64_t max_positions, Device device) {
  std::vector<TokenSequence> windows;
  std::vector<std::int64_t> rows, lengths;
  SegmentsOptions names{.device = device};
  std::int64_t tokens = 0;
  for (const WordInput& input : inputs) {
    std::vector<std::int64_t> begins;
    for (const TokenSequence& window : input.windows) {
      begins.push_back(tokens);
      tokens += static_cast<std::int64_t>(window.ids.size());
      windows.push_back(window);
    }
    for (const WordInput::Place& place : input.places) rows.push_back(begins[place.window] + place.position);
    lengths.push_back(static_cast<std::int64_t>(input.places.size()));
    names.examples.push_back(input.example);
  }
  return {pack_batch(windows, max_positions, device), Tensor::from(rows, device), Segments(lengths, names)};
}

}  // namespace sesame
