// A question and its document as the model reads them: windows over the document, each with the whole
// question.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/bert/packed_batch.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/extract/question_set.h"

namespace sesame {

struct WindowOptions {
  std::int64_t max_length = 384;  // tokens of a window, special ones and question included
  std::int64_t stride = 128;      // tokens of the document that neighbouring windows share
  bool plain_special = false;
  std::string question;  // of data without a question column; may be empty: [CLS] document [SEP]
};

struct Window {
  std::vector<std::int32_t> ids, type_ids;
  std::int64_t begin = 0, end = 0;   // its tokens [begin, end) are the document's
  std::vector<TokenSpan> spans;      // [end - begin] code points of the document
  bool first = false, last = false;  // of its document

  std::int64_t length() const { return static_cast<std::int64_t>(ids.size()); }
};

// At least one window. Throws Error at example.where, naming --max-length, where the question leaves too
// little room for a document of this length.
std::vector<Window> cut_windows(const Tokenizer& tokenizer, const QuestionExample& example,
                                const WindowOptions& options);

// Throws as cut_windows would; looks at the document only where the question is long.
void check_question_fits(const Tokenizer& tokenizer, const QuestionExample& example,
                         const WindowOptions& options);

// Tokens of a window that hold the answer, both included.
struct TokenAnswer {
  std::int64_t start = 0, end = 0;
};
// The answer within a window; [CLS] (0, 0) where the window does not hold all of it, or there is none.
TokenAnswer find_answer(const Window& window, const QuestionExample& example);

// Window `number` of an example as a sequence. `example` numbers the example in its update: windows of one
// example need random draws of their own, so sequences count example * 1024 + number (beyond 1024 windows
// draws repeat).
TokenSequence window_sequence(const Window& window, std::int64_t example, std::int64_t number);

}  // namespace sesame
