// SQuAD's JSON and questions as JSON lines.
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/source.h"
#include "tasks/extract/question_reader.h"

namespace sesame {
namespace {

const char* kind_of(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  return value.is_string()   ? "a string"
         : value.is_number() ? "a number"
         : value.is_null()   ? "null"
                             : "true or false";
}

const Json& member(const Json& object, const std::string& key, const std::string& where) {
  SESAME_CHECK(object.is_object(), where, "an object is wanted, found {}", kind_of(object));
  const auto found = object.find(key);
  if (found != object.end()) return *found;
  std::string keys;
  for (const auto& item : object.items())
    keys += fmt::format("{}\"{}\"", keys.empty() ? "" : ", ", item.key());
  fail(where, "no key \"{}\"; found: {}", key, keys.empty() ? "none" : keys);
}

const std::string& text_of(const Json& value, const std::string& key, const std::string& where) {
  SESAME_CHECK(value.is_string(), where, "\"{}\" is {}, a string is wanted", key, kind_of(value));
  const auto& text = value.get_ref<const std::string&>();
  SESAME_CHECK(text.find('\0') == std::string::npos, where, "\"{}\" holds a NUL character", key);
  return text;
}

const std::string& text_member(const Json& object, const std::string& key, const std::string& where) {
  return text_of(member(object, key, where), key, where);
}

const Json& list_member(const Json& object, const std::string& key, const std::string& where) {
  const Json& list = member(object, key, where);
  SESAME_CHECK(list.is_array(), where, "\"{}\" is {}, an array is wanted", key, kind_of(list));
  return list;
}

std::int64_t start_of(const Json& value, const std::string& key, const std::string& where) {
  SESAME_CHECK(value.is_number_integer() && value.get<double>() >= 0 && value.get<double>() < 2e9, where,
               "\"{}\" is {}, a code point's number from 0 is wanted", key, json_text(value));
  return value.get<std::int64_t>();
}

// An id is text; numbers are taken as they are written.
std::string id_of(const Json& value, const std::string& where) {
  return value.is_number() ? json_text(value) : text_of(value, "id", where);
}

// [{"text": ..., "answer_start": ...}, ...]
void add_list(const Json& list, const std::string& where, std::vector<RawAnswer>& answers) {
  for (const Json& answer : list) {
    answers.push_back({text_member(answer, "text", where),
                       start_of(member(answer, "answer_start", where), "answer_start", where)});
  }
}

// {"text": [...], "answer_start": [...]}, as Hugging Face's datasets have it.
void add_columns(const Json& object, const std::string& where, std::vector<RawAnswer>& answers) {
  const Json& texts = list_member(object, "text", where);
  const Json& starts = list_member(object, "answer_start", where);
  SESAME_CHECK(texts.size() == starts.size(), where, "{} answers with {} places (\"answer_start\")",
               texts.size(), starts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    answers.push_back({text_of(texts[i], "text", where), start_of(starts[i], "answer_start", where)});
  }
}

// "text", null, or several texts that are all right; with their places, where there are any.
void add_plain(const Json& value, const Json& start, const QuestionColumns& columns, const std::string& where,
               std::vector<RawAnswer>& answers) {
  if (value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty())) return;
  const Json texts = value.is_array() ? value : Json::array({value});
  const Json starts = start.is_array() ? start : start.is_null() ? Json::array() : Json::array({start});
  SESAME_CHECK(starts.empty() || starts.size() == texts.size(), where, "{} answers with {} places (\"{}\")",
               texts.size(), starts.size(), columns.start);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    answers.push_back({text_of(texts[i], columns.answer, where),
                       starts.empty() ? -1 : start_of(starts[i], columns.start, where)});
  }
}

class JsonLineQuestions : public QuestionSource {
 public:
  JsonLineQuestions(const std::string& path, const QuestionReadOptions& options)
      : options_(options), lines_(path) {}

  bool next(QuestionExample& example, std::vector<RawAnswer>& answers) override {
    do {
      if (!lines_.next(text_)) return false;
      if (is_blank()) count_dropped(dropped_, "blank line", lines_.line());
    } while (is_blank());
    example.where = lines_.where();
    const Json line = parse_json(text_, example.where);
    SESAME_CHECK(line.is_object(), example.where, "an object is wanted, found {}", kind_of(line));
    if (columns_.document.empty()) {
      columns_ =
          find_columns([&](const std::string& key) { return line.contains(key); }, options_, lines_.name());
    }
    example.document =
        std::make_shared<const std::string>(text_member(line, columns_.document, example.where));
    if (!columns_.question.empty()) example.question = text_member(line, columns_.question, example.where);
    if (line.contains("id")) example.id = id_of(line["id"], example.where);
    if (!options_.need_answers) return true;
    const Json& value = member(line, columns_.answer, example.where);
    const Json none;
    const bool listed = value.is_array() && !value.empty() && value[0].is_object();
    if (value.is_object()) {
      add_columns(value, example.where, answers);
    } else if (listed) {
      add_list(value, example.where, answers);
    } else {
      if (!line.contains(columns_.start)) columns_.start = line.contains("start") ? "start" : "answer_start";
      add_plain(value, line.contains(columns_.start) ? line[columns_.start] : none, columns_, example.where,
                answers);
    }
    return true;
  }
  std::vector<Dropped> dropped() const override { return dropped_; }
  std::size_t text_count() const override { return columns_.question.empty() ? 1 : 2; }

 private:
  bool is_blank() const { return text_.find_first_not_of(" \t") == std::string::npos; }

  QuestionReadOptions options_;
  LineReader lines_;
  QuestionColumns columns_;
  std::string text_;
  std::vector<Dropped> dropped_;
};

class SquadQuestions : public QuestionSource {
 public:
  SquadQuestions(const std::string& path, const QuestionReadOptions& options, Json file)
      : options_(options), path_(path), file_(std::move(file)) {
    articles_ = &list_member(file_, "data", path_);
    const auto version = file_.find("version");
    second_ = version != file_.end() && version->is_string() &&
              version->get_ref<const std::string&>().find("2.") != std::string::npos;
  }

  bool next(QuestionExample& example, std::vector<RawAnswer>& answers) override {
    while (article_ < articles_->size()) {
      const Json& paragraphs = list_member((*articles_)[article_], "paragraphs", place(1));
      if (paragraph_ == paragraphs.size()) {
        ++article_, paragraph_ = 0;
        continue;
      }
      const Json& paragraph = paragraphs[paragraph_];
      const Json& questions = list_member(paragraph, "qas", place(2));
      if (!document_)
        document_ = std::make_shared<const std::string>(text_member(paragraph, "context", place(2)));
      if (question_ == questions.size()) {
        ++paragraph_, question_ = 0, document_ = nullptr;
        continue;
      }
      read(questions[question_], example, answers);
      ++question_;
      return true;
    }
    return false;
  }
  std::size_t text_count() const override { return 2; }
  bool second_version() const override { return second_; }

 private:
  void read(const Json& question, QuestionExample& example, std::vector<RawAnswer>& answers) {
    const std::string& text = text_member(question, "question", place(3));
    example.id = id_of(member(question, "id", place(3)), place(3));
    example.where = fmt::format("{}: question {}", path_, example.id);
    example.question = text;
    example.document = document_;
    if (!options_.need_answers) return;
    add_list(list_member(question, "answers", example.where), example.where, answers);
    const auto impossible = question.find("is_impossible");
    if (impossible == question.end()) return;
    SESAME_CHECK(impossible->is_boolean(), example.where, "\"is_impossible\" is {}, true or false is wanted",
                 kind_of(*impossible));
    SESAME_CHECK(!impossible->get<bool>() || answers.empty(), example.where,
                 "has answers and \"is_impossible\": true; one of the two is wrong");
  }

  // Where the reading is: "train.json: data[3].paragraphs[2].qas[1]".
  std::string place(int depth) const {
    std::string text = fmt::format("{}: data[{}]", path_, article_);
    if (depth > 1) text += fmt::format(".paragraphs[{}]", paragraph_);
    if (depth > 2) text += fmt::format(".qas[{}]", question_);
    return text;
  }

  QuestionReadOptions options_;
  std::string path_;
  Json file_;
  const Json* articles_ = nullptr;
  bool second_ = false;
  std::size_t article_ = 0, paragraph_ = 0, question_ = 0;
  std::shared_ptr<const std::string> document_;
};

// Looks for the key "data" in the outermost object and stops at it, or at the object's end.
class DataKeyFinder : public nlohmann::json_sax<Json> {
 public:
  bool found = false;
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t& name) override { return !(found = found || (depth_ == 1 && name == "data")); }
  bool start_object(std::size_t) override { return ++depth_ < 64; }
  bool end_object() override { return --depth_ > 0; }
  bool start_array(std::size_t) override { return ++depth_ < 64; }
  bool end_array() override { return --depth_ > 0; }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  int depth_ = 0;
};

}  // namespace

std::unique_ptr<QuestionSource> open_squad(const std::string& path, const QuestionReadOptions& options,
                                           bool sure) {
  std::string text;
  LineReader lines(path);
  for (std::string line; lines.next(line);) text += line + "\n";
  if (!sure) {
    DataKeyFinder finder;
    Json::sax_parse(text.begin(), text.end(), &finder, Json::input_format_t::json, false);
    if (!finder.found) return nullptr;
  }
  SESAME_CHECK(options.text_count != 1, path, "holds questions; the model reads documents alone");
  return std::make_unique<SquadQuestions>(path, options, parse_json(text, path));
}

std::unique_ptr<QuestionSource> open_json_lines(const std::string& path, const QuestionReadOptions& options) {
  return std::make_unique<JsonLineQuestions>(path, options);
}

}  // namespace sesame
