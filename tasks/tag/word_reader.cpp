#include "tasks/tag/word_reader.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "tasks/data/source.h"
#include "tasks/report/svg.h"

namespace sesame {
namespace {

constexpr const char* kBlanks = " \t";
constexpr const char* kFormats[] = {"auto", "conll", "conllu", "jsonl",
                                    "lines"};  // in the order of WordFormat
constexpr const char* kConlluColumns[] = {"id",    "form", "lemma",  "upos", "xpos",
                                          "feats", "head", "deprel", "deps", "misc"};

bool is_blank(const std::string& line) { return line.find_first_not_of(kBlanks) == std::string::npos; }

// Fields apart by one character each.
std::vector<std::string> split_at(const std::string& line, char separator) {
  std::vector<std::string> fields;
  std::size_t begin = 0;
  for (std::size_t end; (end = line.find(separator, begin)) != std::string::npos; begin = end + 1) {
    fields.push_back(line.substr(begin, end - begin));
  }
  fields.push_back(line.substr(begin));
  return fields;
}

std::vector<std::string> split_blanks(const std::string& line) {
  std::vector<std::string> fields;
  std::size_t begin = line.find_first_not_of(kBlanks);
  while (begin != std::string::npos) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    fields.push_back(line.substr(begin, end - begin));
    begin = line.find_first_not_of(kBlanks, end);
  }
  return fields;
}

std::optional<int> as_number(const std::string& text) {
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// The number of a column that --columns names, or `otherwise`.
int column_number(const std::string& name, WordFormat format, int otherwise) {
  if (name.empty()) return otherwise;
  if (const auto number = as_number(name)) return *number;
  if (format == WordFormat::conllu) {
    std::string lower = name;
    for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    const auto* found = std::find(std::begin(kConlluColumns), std::end(kConlluColumns), lower);
    if (found != std::end(kConlluColumns)) return static_cast<int>(found - std::begin(kConlluColumns));
  }
  fail("--columns", "'{}' is no column of {}", name,
       format == WordFormat::conllu ? "CoNLL-U: expected its number from 0, or one of id, form, lemma, upos, "
                                      "xpos, feats, head, deprel, deps, misc"
                                    : "CoNLL files, which have no names: expected its number, from 0 or, "
                                      "counted from the end, from -1");
}

std::vector<std::string> string_list(const Json& object, const std::string& key, const std::string& where) {
  const Json& list = object.at(key);
  SESAME_CHECK(list.is_array(), where, "\"{}\" is {}, a list of strings is wanted", key, list.type_name());
  std::vector<std::string> strings;
  for (const Json& item : list) {
    SESAME_CHECK(item.is_string(), where, "\"{}\" holds {}, strings are wanted", key, json_text(item));
    strings.push_back(item.get<std::string>());
    SESAME_CHECK(strings.back().find('\0') == std::string::npos, where, "\"{}\" holds a NUL character", key);
  }
  return strings;
}

}  // namespace

struct WordReader::State {
  LineReader lines;
  WordReadOptions options;
  WordFormat format;
  int word_column = 0, tag_column = -1;   // conll, conllu
  std::size_t row_width = 0;              // columns of the rows so far; 0: none yet
  std::vector<std::string> context_keys;  // jsonl
  bool first_object = true;
  std::vector<Dropped> dropped;

  State(const std::string& path, const WordReadOptions& given)
      : lines(path), options(given), format(word_format_of(path, given)) {
    const std::vector<std::string>& texts = options.columns.texts;
    const std::string text = texts.empty() ? "" : texts[0];
    if (format == WordFormat::conll || format == WordFormat::conllu) {
      const bool conllu = format == WordFormat::conllu;
      word_column = column_number(text, format, conllu ? 1 : 0);
      tag_column = column_number(options.columns.label, format, conllu ? 3 : -1);
      SESAME_CHECK(texts.size() < 2, "--columns", "further texts are read from JSONL files only");
      check_context_count(0, path);
    }
    SESAME_CHECK(!options.need_tags || format != WordFormat::lines, path,
                 "plain lines hold no tags: expected CoNLL columns, CoNLL-U or JSONL (--format)");
    if (texts.size() > 1) context_keys.assign(texts.begin() + 1, texts.end());
  }

  void check_context_count(std::size_t found, const std::string& where) const {
    SESAME_CHECK(!options.fixed_contexts || found == options.context_count, where,
                 "{} further text{}, {} wanted", found, found == 1 ? "" : "s", options.context_count);
  }

  const std::string& field(const std::vector<std::string>& fields, int column, const char* what) const {
    const int width = static_cast<int>(fields.size()), index = column < 0 ? width + column : column;
    SESAME_CHECK(index >= 0 && index < width, lines.where(), "{} column{}, the {} is wanted in column {}",
                 width, width == 1 ? "" : "s", what, column);
    const std::string& text = fields[static_cast<std::size_t>(index)];
    SESAME_CHECK(!text.empty(), lines.where(), "the {} (column {}) is empty", what, column);
    return text;
  }

  // False for a row that is no word of its own.
  bool is_word(const std::vector<std::string>& fields) {
    if (format != WordFormat::conllu) return true;
    const std::string& id = fields[0];
    if (as_number(id)) return true;
    const bool range = id.find('-') != std::string::npos, node = id.find('.') != std::string::npos;
    SESAME_CHECK(range || node, lines.where(), "the id is \"{}\", expected 3, 1-2 or 3.1", id);
    count_dropped(dropped, range ? "multi-word token" : "empty node", lines.line());
    return false;
  }

  void add_row(const std::string& line, WordSentence& sentence) {
    const bool tabs = format == WordFormat::conllu || line.find('\t') != std::string::npos;
    const std::vector<std::string> fields = tabs ? split_at(line, '\t') : split_blanks(line);
    if (format == WordFormat::conllu) {
      SESAME_CHECK(fields.size() == std::size(kConlluColumns), lines.where(),
                   "{} columns, CoNLL-U has 10, apart by tabs", fields.size());
    }
    if (row_width == 0) row_width = fields.size();
    if (options.need_tags && format == WordFormat::conll) {
      SESAME_CHECK(fields.size() >= 2, lines.where(),
                   "one column (\"{}\"), a word and its tag are wanted, apart by a tab or a blank", line);
    }
    SESAME_CHECK(fields.size() == row_width, lines.where(), "{} columns, the rows before have {}",
                 fields.size(), row_width);
    if (!is_word(fields)) return;
    if (sentence.words.empty()) sentence.line = lines.line();
    sentence.words.push_back(field(fields, word_column, "word"));
    if (options.need_tags) sentence.tags.push_back(field(fields, tag_column, "tag"));
    sentence.lines.push_back(lines.line());
  }

  // What a line is that holds no word and ends a sentence; null for others. Files that were put together from
  // several hold byte-order marks on lines of their own (WNUT 2017).
  const char* mark_of(const std::string& line) const {
    if (line == "\xEF\xBB\xBF") return "byte-order mark alone on its line";
    return format == WordFormat::conll && line.starts_with("-DOCSTART-") ? "-DOCSTART-" : nullptr;
  }

  bool next_rows(WordSentence& sentence) {
    for (std::string line; lines.next(line);) {
      const char* mark = mark_of(line);
      if (mark != nullptr) count_dropped(dropped, mark, lines.line());
      if (mark != nullptr || is_blank(line)) {
        if (!sentence.words.empty()) return true;
        continue;
      }
      if (format == WordFormat::conllu && line[0] == '#') continue;
      add_row(line, sentence);
    }
    return !sentence.words.empty();
  }

  bool next_line(WordSentence& sentence) {
    std::string line;
    if (!lines.next(line)) return false;
    std::vector<std::string> parts = split_at(line, '\t');
    sentence.words = split_blanks(parts[0]);
    sentence.contexts.assign(parts.begin() + 1, parts.end());
    check_context_count(sentence.contexts.size(), lines.where());
    sentence.line = lines.line();
    return true;
  }

  // Which keys hold further texts: those of --columns, else text2, text3 ... as far as the first object has
  // them.
  void find_contexts(const Json& object) {
    if (!first_object) return;
    first_object = false;
    if (!context_keys.empty()) return;
    for (std::size_t i = 2; object.contains(fmt::format("text{}", i)); ++i) {
      context_keys.push_back(fmt::format("text{}", i));
    }
    if (options.fixed_contexts && context_keys.size() > options.context_count) {
      context_keys.resize(options.context_count);
    }
  }

  std::string words_key(const Json& object) const {
    const auto& texts = options.columns.texts;
    if (!texts.empty() && !texts[0].empty()) return texts[0];
    return object.contains("words") ? "words" : "tokens";
  }

  const Json& value(const Json& object, const std::string& key) const {
    const auto found = object.find(key);
    std::string known;
    for (const auto& item : object.items()) known += (known.empty() ? "\"" : ", \"") + item.key() + "\"";
    SESAME_CHECK(found != object.end(), lines.where(), "no key \"{}\"; found: {}", key,
                 known.empty() ? "none" : known);
    return *found;
  }

  bool next_object(WordSentence& sentence) {
    std::string line;
    do {
      if (!lines.next(line)) return false;
    } while (is_blank(line));
    const Json object = parse_json_line(line, lines.where());
    find_contexts(object);
    const std::string words = words_key(object),
                      tags = options.columns.label.empty() ? "tags" : options.columns.label;
    value(object, words);
    sentence.words = string_list(object, words, lines.where());
    sentence.line = lines.line();
    for (std::size_t w = 0; w < sentence.words.size(); ++w) {
      SESAME_CHECK(!sentence.words[w].empty(), lines.where(), "word {} is empty", w + 1);
    }
    if (options.need_tags) {
      value(object, tags);
      sentence.tags = string_list(object, tags, lines.where());
      SESAME_CHECK(sentence.tags.size() == sentence.words.size(), lines.where(), "{} tags for {} words",
                   sentence.tags.size(), sentence.words.size());
      SESAME_CHECK(!sentence.words.empty(), lines.where(), "the sentence has no words");
    }
    for (const std::string& key : context_keys) {
      const Json& text = value(object, key);
      SESAME_CHECK(text.is_string(), lines.where(), "\"{}\" is {}, a string is wanted", key,
                   text.type_name());
      sentence.contexts.push_back(text.get<std::string>());
    }
    check_context_count(sentence.contexts.size(), lines.where());
    return true;
  }
};

WordFormat parse_word_format(const std::string& name) {
  if (name.empty()) return WordFormat::automatic;
  if (name == "json") return WordFormat::jsonl;
  for (std::size_t i = 0; i < std::size(kFormats); ++i) {
    if (name == kFormats[i]) return static_cast<WordFormat>(i);
  }
  fail("--format", "unknown format \"{}\" of tagged words; known: auto, conll, conllu, jsonl, lines", name);
}

const char* word_format_name(WordFormat format) { return kFormats[static_cast<std::size_t>(format)]; }

WordFormat word_format_of(const std::string& path, const WordReadOptions& options) {
  if (options.format != WordFormat::automatic) return options.format;
  std::string_view name = path;
  if (name.ends_with(".gz")) name.remove_suffix(3);
  if (name.ends_with(".conllu")) return WordFormat::conllu;
  if (name.ends_with(".conll")) return WordFormat::conll;
  if (name.ends_with(".jsonl") || name.ends_with(".json")) return WordFormat::jsonl;
  const bool plain = name == "-" || name.ends_with(".txt");
  if (plain && !options.need_tags) return WordFormat::lines;
  if (options.otherwise != WordFormat::automatic) return options.otherwise;
  SESAME_CHECK(plain, path,
               "the extension does not tell the format; say it: --format conll / conllu / jsonl / lines");
  return WordFormat::conll;
}

WordReader::WordReader(const std::string& path, const WordReadOptions& options)
    : state_(std::make_unique<State>(path, options)) {}
WordReader::~WordReader() = default;

bool WordReader::next(WordSentence& sentence) {
  sentence = {};
  if (state_->format == WordFormat::jsonl) return state_->next_object(sentence);
  if (state_->format == WordFormat::lines) return state_->next_line(sentence);
  return state_->next_rows(sentence);
}

const std::vector<Dropped>& WordReader::dropped() const { return state_->dropped; }

std::string WordData::where(const WordSentence& sentence, std::size_t w) const {
  return fmt::format("{}:{}", path, w < sentence.lines.size() ? sentence.lines[w] : sentence.line);
}

TagLists WordData::tags() const {
  TagLists lists;
  for (const WordSentence& s : sentences) lists.push_back(s.tags);
  return lists;
}

WordData read_words(const std::string& path, const WordReadOptions& options) {
  WordData data;
  data.path = path;
  WordReader reader(path, options);
  for (WordSentence sentence; reader.next(sentence);) {
    if (options.limit > 0 && data.sentences.size() == options.limit) {
      data.limited = true;
      break;
    }
    data.words += sentence.words.size();
    data.sentences.push_back(std::move(sentence));
  }
  data.dropped = reader.dropped();
  SESAME_CHECK(!data.sentences.empty(), path, "holds no sentence");
  return data;
}

std::string describe(const WordData& data) {
  std::string text =
      fmt::format("{} sentences{}, {} words", format_count(static_cast<int64_t>(data.sentences.size())),
                  data.limited ? " (the first of more)" : "", format_count(static_cast<int64_t>(data.words)));
  for (const Dropped& d : data.dropped) {
    text += fmt::format(", {} rows left out ({}, first at line {})", d.count, d.reason, d.first_line);
  }
  return text;
}

}  // namespace sesame
