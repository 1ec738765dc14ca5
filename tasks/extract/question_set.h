// Questions about documents with the answers that stand in them; or documents alone, whose question is the
// same for all and known from elsewhere ("which phrase carries the sentiment?").
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/data/table.h"

namespace sesame {

// Code points [start, end) of the document.
struct AnswerSpan {
  std::string text;
  std::int64_t start = 0, end = 0;
};

struct QuestionExample {
  std::string id;                               // "" where the data gives none
  std::string question;                         // "" without one
  std::shared_ptr<const std::string> document;  // questions about one paragraph share it
  std::vector<AnswerSpan> answers;              // none: the document does not answer
  std::string where;                            // "dev.json: question 56be4db0", "train.jsonl:17"
};

// What the reader had to say of the answers' places.
struct AnswerPlaces {
  std::size_t answers = 0;
  std::size_t moved = 0;      // the place given was wrong, the text occurs exactly once
  std::size_t ambiguous = 0;  // no place given and several occurrences: the first is taken
  std::string first_moved, first_ambiguous;
};

struct QuestionSet {
  std::string path;
  std::vector<QuestionExample> examples;
  std::vector<Dropped> dropped;
  AnswerPlaces places;
  std::size_t unanswered = 0;
  bool limited = false;
  bool second_version = false;  // SQuAD 2.0's rules: some question may have no answer
  std::size_t texts = 2;        // 1: documents alone
};

// Bytes of well-formed UTF-8 before code point `position` (at most all of them), counted from byte `from`.
std::size_t byte_offset(std::string_view text, std::int64_t position, std::size_t from = 0);
// The code points [start, end) of a text.
std::string cut_text(std::string_view text, std::int64_t start, std::int64_t end);

// Finds `text` in the document: at `start` (code points) if it is not below 0, else wherever it is. A text
// that is not at `start` but occurs exactly once is taken from there. Both are counted. Throws Error at
// example.where when the text is blank or cannot be placed.
AnswerSpan place_answer(const QuestionExample& example, const std::string& text, std::int64_t start,
                        AnswerPlaces& places);

// "10,570 questions, 33 answers not at the place given (found elsewhere ...), ...".
std::string describe(const QuestionSet& data);

}  // namespace sesame
