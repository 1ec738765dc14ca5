#include "tasks/extract/windows.h"

#include <algorithm>

#include "autograd/check.h"
#include "tasks/metrics/python_text.h"

namespace sesame {
namespace {

constexpr std::int64_t kWindowsPerExample = 1024;

const std::string& question_of(const QuestionExample& example, const WindowOptions& options) {
  return example.question.empty() ? options.question : example.question;
}

// Tokens of a window that a question leaves to the document.
std::int64_t room_beside(const Tokenizer& tokenizer, const std::string& question,
                         const WindowOptions& options) {
  if (question.empty()) return options.max_length - 2;
  std::vector<std::int32_t> ids;
  tokenizer.encode_ids(question, ids, options.plain_special);
  return options.max_length - 3 - static_cast<std::int64_t>(ids.size());
}

// An answer's code points without white space at its ends, which has no tokens.
std::pair<std::int64_t, std::int64_t> trimmed(const AnswerSpan& answer) {
  const std::u32string text = to_code_points(answer.text);
  std::int64_t start = answer.start, end = answer.end;
  while (start < end && python_is_space(text[static_cast<std::size_t>(start - answer.start)])) ++start;
  while (end > start && python_is_space(text[static_cast<std::size_t>(end - answer.start - 1)])) --end;
  return {start, end};
}

}  // namespace

void check_question_fits(const Tokenizer& tokenizer, const QuestionExample& example,
                         const WindowOptions& options) {
  const bool room = room_beside(tokenizer, question_of(example, options), options) > options.stride;
  if (!room) cut_windows(tokenizer, example, options);  // a short document may fit all the same
}

std::vector<Window> cut_windows(const Tokenizer& tokenizer, const QuestionExample& example,
                                const WindowOptions& options) {
  const std::string& question = question_of(example, options);
  std::vector<std::string_view> texts;
  if (!question.empty()) texts.push_back(question);
  texts.push_back(*example.document);
  const EncodeOptions encode{.max_length = static_cast<std::size_t>(options.max_length),
                             .plain_special = options.plain_special};
  std::vector<Encoding> encodings;
  try {
    encodings = tokenizer.encode_windows(texts, static_cast<std::size_t>(options.stride), encode);
  } catch (const Error&) {
    const std::int64_t room = room_beside(tokenizer, question, options);
    if (room > options.stride) throw;  // something else
    fail(example.where,
         "the question leaves {} of {} tokens of a window to the document, of which neighbours share {}: "
         "raise --max-length (up to the model's positions), or lower --stride",
         std::max<std::int64_t>(room, 0), options.max_length, options.stride);
  }
  const auto document = static_cast<std::int32_t>(texts.size() - 1);
  std::vector<Window> windows;
  for (const Encoding& encoding : encodings) {
    Window window{.ids = encoding.ids, .type_ids = encoding.type_ids, .begin = 0, .end = 0, .spans = {}};
    for (std::size_t t = 0; t < encoding.size(); ++t) {
      if (encoding.sequences[t] != document) continue;
      if (window.spans.empty()) window.begin = static_cast<std::int64_t>(t);
      window.spans.push_back(encoding.offsets[t]);
    }
    window.end = window.begin + static_cast<std::int64_t>(window.spans.size());
    windows.push_back(std::move(window));
  }
  windows.front().first = windows.back().last = true;
  return windows;
}

TokenAnswer find_answer(const Window& window, const QuestionExample& example) {
  if (example.answers.empty() || window.spans.empty()) return {};
  const auto [start, end] = trimmed(example.answers.front());
  const bool holds_start = window.first || window.spans.front().begin <= start;
  const bool holds_end = window.last || window.spans.back().end >= end;
  if (!holds_start || !holds_end) return {};
  // The first and the last token that share a character with the answer.
  std::size_t i = 0, j = window.spans.size();
  while (i < window.spans.size() && window.spans[i].end <= start) ++i;
  while (j > 0 && window.spans[j - 1].begin >= end) --j;
  if (i >= j) return {};  // the answer has no token: nothing but characters that the tokenizer drops
  return {window.begin + static_cast<std::int64_t>(i), window.begin + static_cast<std::int64_t>(j) - 1};
}

TokenSequence window_sequence(const Window& window, std::int64_t example, std::int64_t number) {
  return {{window.ids.begin(), window.ids.end()},
          {window.type_ids.begin(), window.type_ids.end()},
          example * kWindowsPerExample + number % kWindowsPerExample};
}

}  // namespace sesame
