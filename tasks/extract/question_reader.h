// Reading questions: SQuAD JSON 1.1 and 2.0, JSON lines, TSV, CSV and plain lines, also gzipped.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tasks/data/examples.h"
#include "tasks/extract/question_set.h"

namespace sesame {

struct QuestionReadOptions {
  // texts: {document} or {question, document}; label: the answer. Empty: by the usual names
  // (docs/tasks/extract.md).
  ColumnSpec columns;
  std::string format;        // "", "auto", "squad", "jsonl", "tsv", "csv", "lines"
  bool need_answers = true;  // false: answers are not read (predict)
  // What the model wants: 1, a document alone; 2, question and document; 0, as the file has it.
  std::size_t text_count = 0;
  std::size_t limit = 0;
  bool verbose = false;  // names every answer that was moved or does not fit, on stderr
};

// An answer as the data gives it; start -1: no place given.
struct RawAnswer {
  std::string text;
  std::int64_t start = -1;
};

// One form of the data: the next question without its answers placed; false at the end.
class QuestionSource {
 public:
  virtual ~QuestionSource() = default;
  virtual bool next(QuestionExample& example, std::vector<RawAnswer>& answers) = 0;
  virtual std::vector<Dropped> dropped() const { return {}; }
  virtual std::size_t text_count() const = 0;  // 1 or 2, known after the first question
  virtual bool second_version() const { return false; }
};

// Which columns or keys hold what; found by name among those that there are. "" for what there is not.
struct QuestionColumns {
  std::string id, question, document, answer, start;
};
QuestionColumns find_columns(const std::function<bool(const std::string&)>& has,
                             const QuestionReadOptions& options, const std::string& path);

// By extension or options.format.
std::unique_ptr<QuestionSource> open_questions(const std::string& path, const QuestionReadOptions& options);
// A SQuAD file; null where a .json file holds something else and `sure` is false.
std::unique_ptr<QuestionSource> open_squad(const std::string& path, const QuestionReadOptions& options,
                                           bool sure);
std::unique_ptr<QuestionSource> open_json_lines(const std::string& path, const QuestionReadOptions& options);

// Questions one at a time, for predict on a stream (SQuAD JSON is read as a whole). Errors carry file and
// line, or the question's id.
class QuestionReader {
 public:
  QuestionReader(const std::string& path, const QuestionReadOptions& options);
  // The next question; answers that do not fit throw Error.
  bool next(QuestionExample& example);

  const QuestionSource& source() const { return *source_; }
  const AnswerPlaces& places() const { return places_; }

 private:
  QuestionReadOptions options_;
  std::size_t given_ = 0;
  AnswerPlaces places_;
  std::unique_ptr<QuestionSource> source_;
};

// A whole file with its answers. Throws Error for a file without a question, and one for all answers that do
// not fit.
QuestionSet read_questions(const std::string& path, const QuestionReadOptions& options);

}  // namespace sesame
