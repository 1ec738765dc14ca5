#include "tasks/extract/question_reader.h"

#include <charconv>

#include "autograd/check.h"

namespace sesame {
namespace {

std::int64_t parse_start(const std::string& text, const std::string& column, const std::string& where) {
  std::int64_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  SESAME_CHECK(error == std::errc() && end == text.data() + text.size() && value >= 0, where,
               "\"{}\" holds \"{}\", a code point's number from 0 is wanted", column, text);
  return value;
}

// TSV, CSV and plain lines.
class TableQuestions : public QuestionSource {
 public:
  TableQuestions(const std::string& path, Format format, const QuestionReadOptions& options)
      : options_(options), table_(path, format) {
    if (format == Format::lines) {
      SESAME_CHECK(!options.need_answers, path,
                   "plain lines carry no answers; use SQuAD JSON, JSON lines or a table with a header");
      texts_ = options.text_count;
      return;
    }
    columns_ = find_columns([&](const std::string& name) { return table_.has(name); }, options, path);
    texts_ = columns_.question.empty() ? 1 : 2;
    std::vector<std::string> selected = {columns_.document};
    for (const std::string* name : {&columns_.question, &columns_.answer, &columns_.start, &columns_.id}) {
      if (!name->empty()) selected.push_back(*name);
    }
    table_.select(selected);
  }

  bool next(QuestionExample& example, std::vector<RawAnswer>& answers) override {
    if (!table_.next(cells_)) return false;
    example.where = table_.where();
    if (table_.format() == Format::lines) {
      if (texts_ == 0) texts_ = cells_.size();
      SESAME_CHECK(cells_.size() == texts_ && texts_ <= 2, example.where,
                   "{} texts separated by tabs, wanted is {}", cells_.size(),
                   texts_ == 1 ? "the document alone" : "a question, a tab and its document");
      if (texts_ == 2) example.question = cells_[0].text;
      example.document = std::make_shared<const std::string>(std::move(cells_.back().text));
      return true;
    }
    auto cell = cells_.begin();
    example.document = std::make_shared<const std::string>(std::move(cell->text));
    if (!columns_.question.empty()) example.question = (++cell)->text;
    RawAnswer answer;
    if (!columns_.answer.empty()) answer.text = (++cell)->text;
    if (!columns_.start.empty()) {
      const std::string& start = (++cell)->text;
      if (!answer.text.empty()) answer.start = parse_start(start, columns_.start, example.where);
    }
    if (!columns_.id.empty()) example.id = (++cell)->text;
    if (!answer.text.empty()) answers.push_back(std::move(answer));
    return true;
  }
  std::vector<Dropped> dropped() const override { return table_.dropped(); }
  std::size_t text_count() const override { return texts_; }

 private:
  QuestionReadOptions options_;
  TableReader table_;
  QuestionColumns columns_;
  std::size_t texts_ = 0;
  std::vector<Cell> cells_;
};

std::string file_name(std::string path) {
  if (path.ends_with(".gz")) path.resize(path.size() - 3);
  return path;
}

}  // namespace

QuestionColumns find_columns(const std::function<bool(const std::string&)>& has,
                             const QuestionReadOptions& options, const std::string& path) {
  const auto first_of = [&](std::initializer_list<const char*> names) -> std::string {
    for (const char* name : names) {
      if (has(name)) return name;
    }
    return "";
  };
  QuestionColumns columns;
  const std::vector<std::string>& texts = options.columns.texts;
  SESAME_CHECK(texts.size() <= 2, "--columns",
               "{} texts are named; this task reads a document, or a question and its document",
               texts.size());
  SESAME_CHECK(texts.empty() || options.text_count == 0 || texts.size() == options.text_count, path,
               "{} text columns are named, the model reads {}", texts.size(), options.text_count);
  if (!texts.empty()) {
    columns.document = texts.back();
    if (texts.size() == 2) columns.question = texts.front();
  } else if (options.text_count == 1) {
    columns.document = has("context") ? "context" : "text";
  } else if (has("context")) {
    columns.document = "context";
    if (has("question") || options.text_count == 2) columns.question = "question";
  } else {
    const bool pair = has("text2") || options.text_count == 2;
    columns.document = pair ? "text2" : "text";
    if (pair) columns.question = "text";
  }
  columns.id = first_of({"id"});
  if (!options.need_answers) return columns;
  columns.answer = !options.columns.label.empty() ? options.columns.label
                                                  : first_of({"answers", "answer", "label", "target"});
  if (columns.answer.empty()) columns.answer = "answer";  // whose absence the reader reports
  columns.start = first_of({"start", "answer_start"});
  return columns;
}

std::unique_ptr<QuestionSource> open_questions(const std::string& path, const QuestionReadOptions& options) {
  const bool automatic = options.format.empty() || options.format == "auto";
  if (options.format == "squad") return open_squad(path, options, true);
  if (automatic && file_name(path).ends_with(".json")) {
    if (auto squad = open_squad(path, options, false)) return squad;
    return open_json_lines(path, options);
  }
  SESAME_CHECK(automatic || options.format != "conll", "--format",
               "this task reads squad, jsonl, tsv, csv and lines");
  const Format format = automatic ? format_of(path) : parse_format(options.format);
  if (format == Format::jsonl) return open_json_lines(path, options);
  return std::make_unique<TableQuestions>(path, format, options);
}

QuestionReader::QuestionReader(const std::string& path, const QuestionReadOptions& options)
    : options_(options), source_(open_questions(path, options)) {}

bool QuestionReader::next(QuestionExample& example) {
  if (options_.limit > 0 && given_ == options_.limit) return false;
  example = QuestionExample{};
  std::vector<RawAnswer> answers;
  if (!source_->next(example, answers)) return false;
  ++given_;
  if (!options_.need_answers) return true;
  SESAME_CHECK(example.document->find_first_not_of(" \t\r\n") != std::string::npos, example.where,
               "the document is empty");
  SESAME_CHECK(
      source_->text_count() == 1 || example.question.find_first_not_of(" \t\r\n") != std::string::npos,
      example.where, "the question is empty");
  for (const RawAnswer& answer : answers) {
    const std::size_t moved = places_.moved;
    example.answers.push_back(place_answer(example, answer.text, answer.start, places_));
    if (options_.verbose && places_.moved > moved) {
      fmt::print(stderr, "{}: answer \"{}\" moved from {} to {}\n", example.where, answer.text, answer.start,
                 example.answers.back().start);
    }
  }
  return true;
}

QuestionSet read_questions(const std::string& path, const QuestionReadOptions& options) {
  QuestionReader reader(path, options);
  QuestionSet data;
  data.path = path;
  data.second_version = reader.source().second_version();
  QuestionExample example;
  while (reader.next(example)) {
    data.unanswered += example.answers.empty();
    data.examples.push_back(std::move(example));
  }
  data.places = reader.places();
  data.dropped = reader.source().dropped();
  data.limited = options.limit > 0 && data.examples.size() == options.limit;
  data.texts = reader.source().text_count();
  data.second_version |= data.unanswered > 0;
  SESAME_CHECK(!data.examples.empty(), path, "holds no question");
  return data;
}

}  // namespace sesame
