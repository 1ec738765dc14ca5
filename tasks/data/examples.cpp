#include "tasks/data/examples.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>
#include <utility>

#include "autograd/check.h"

namespace sesame {

namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts;
  size_t begin = 0;
  while (true) {
    const size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    if (end == std::string::npos) return parts;
    begin = end + separator.size();
  }
}

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t\r\n") == std::string::npos; }

std::string text_name(size_t index) { return index == 0 ? "text" : fmt::format("text{}", index + 1); }

double parse_number(const std::string& text, const std::string& column, const std::string& where) {
  std::string_view digits = text;
  while (!digits.empty() && digits.front() == ' ') digits.remove_prefix(1);
  while (!digits.empty() && digits.back() == ' ') digits.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  SESAME_CHECK(whole && std::isfinite(value), where, "column \"{}\" holds \"{}\", a finite number is wanted",
               column, text);
  return value;
}

std::string with_commas(size_t number) {
  std::string digits = std::to_string(number);
  for (int i = static_cast<int>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<size_t>(i), 1, ',');
  return digits;
}

std::string describe_dropped(const std::vector<Dropped>& dropped) {
  std::string text;
  for (const Dropped& entry : dropped) {
    text += fmt::format("{}{}: {}, first at line {}", text.empty() ? "" : "; ", entry.reason,
                        with_commas(entry.count), entry.first_line);
  }
  return text;
}

// The files of <folder>/<label>/, 2.txt before 10.txt.
std::vector<std::string> text_files(const fs::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end(), [](const std::string& a, const std::string& b) {
    const auto number = [](const std::string& path) { return std::atol(fs::path(path).filename().c_str()); };
    return std::pair(number(a), a) < std::pair(number(b), b);
  });
  return files;
}

}  // namespace

std::string Dataset::where(const Example& example) const { return fmt::format("{}:{}", path, example.line); }

ColumnSpec parse_columns(const std::string& option, const ColumnSpec& base) {
  constexpr const char* kWhere = "--columns";
  ColumnSpec spec = base;
  for (const std::string& part : split(option, ",")) {
    const size_t equals = part.find('=');
    SESAME_CHECK(equals != std::string::npos && equals + 1 < part.size(), kWhere,
                 "\"{}\" is not of the form name=column, as in text=sentence,label=gold", part);
    const std::string name = part.substr(0, equals), column = part.substr(equals + 1);
    if (name == "label" || name == "target") {
      spec.label = column;
      continue;
    }
    size_t index = 0;
    while (index < 100 && name != text_name(index) && !(index == 0 && name == "text1")) ++index;
    SESAME_CHECK(index < 100, kWhere, "unknown name \"{}\"; known: text, text2, text3 ..., label, target",
                 name);
    if (spec.texts.size() <= index) spec.texts.resize(index + 1);
    spec.texts[index] = column;
  }
  for (size_t i = 0; i < spec.texts.size(); ++i) {
    SESAME_CHECK(!spec.texts[i].empty(), kWhere, "{} is missing, {} is given", text_name(i),
                 text_name(spec.texts.size() - 1));
  }
  return spec;
}

struct ExampleReader::State {
  std::string path;
  ReadOptions options;
  LabelKind kind = LabelKind::none;
  std::unique_ptr<TableReader> table;
  std::vector<Cell> cells;
  std::vector<Dropped> dropped;
  size_t text_count = 0, given = 0, empty_texts = 0;

  // A directory of <label>/*.txt: (file, label), read one after the other.
  std::vector<std::pair<std::string, std::string>> files;
  size_t next_file = 0;

  void open_folders();
  void open_table();
  void read_label(const Cell& cell, Example& example);
  bool next_of_files(Example& example);
  bool next_of_table(Example& example);
};

void ExampleReader::State::open_folders() {
  for (const std::string label : {"neg", "pos"}) {
    const fs::path folder = fs::path(path) / label;
    SESAME_CHECK(
        fs::is_directory(folder), path,
        "has no folder \"{}\"; wanted is the part itself, as in aclImdb/train with neg/ and pos/ in it",
        label);
    for (std::string& file : text_files(folder)) files.emplace_back(std::move(file), label);
  }
  if (fs::is_directory(fs::path(path) / "unsup")) {
    const size_t count = text_files(fs::path(path) / "unsup").size();
    if (count > 0) dropped.push_back({"no label (unsup)", count, 1});
  }
  kind = options.need_label ? LabelKind::one_class : LabelKind::none;
  text_count = 1;
}

void ExampleReader::State::open_table() {
  Format format = options.format;
  if (format == Format::automatic) format = format_of(path);
  if (format == Format::lines && options.txt_is_tsv && path != "-" && options.format == Format::automatic) {
    format = Format::tsv;
  }
  const std::string mark = options.columns.texts.empty() ? "" : options.columns.texts.front();
  table = std::make_unique<TableReader>(path, format, options.ragged, options.headerless, mark);
  kind = options.need_label ? options.kind : LabelKind::none;
  if (format == Format::lines) {
    SESAME_CHECK(!options.need_label, path,
                 "plain lines carry no label; use a table with a header (.tsv, .csv, .jsonl, or --format)");
    text_count = options.text_count;
    return;
  }
  std::vector<std::string>& texts = options.columns.texts;
  if (texts.empty()) {
    // As many as the model reads, where that is known; else as far as the file has them.
    do texts.push_back(text_name(texts.size()));
    while (options.text_count > 0 ? texts.size() < options.text_count : table->has(text_name(texts.size())));
  }
  SESAME_CHECK(options.text_count == 0 || texts.size() == options.text_count, path,
               "{} text columns are named, the model reads {}", texts.size(), options.text_count);
  text_count = texts.size();
  std::vector<std::string> columns = texts;
  if (options.need_label) {
    std::string& label = options.columns.label;
    const bool text = options.kind == LabelKind::text;
    const char *usual = text ? "target" : "label", *other = text ? "label" : "target";
    if (label.empty()) label = table->has(usual) || !table->has(other) ? usual : other;
    columns.push_back(label);
  }
  table->select(columns);
}

void ExampleReader::State::read_label(const Cell& cell, Example& example) {
  const std::string& column = options.columns.label;
  SESAME_CHECK(!options.label_separator.empty(), "--label-separator", "must not be empty");
  if (kind == LabelKind::automatic) kind = cell.is_list ? LabelKind::multi_label : LabelKind::one_class;
  SESAME_CHECK(!cell.is_null, table->where(), "\"{}\" is null, a label is wanted", column);
  if (kind == LabelKind::text) {
    example.labels = cell.is_list ? cell.items : std::vector<std::string>{cell.text};
    const bool empty =
        example.labels.empty() || std::any_of(example.labels.begin(), example.labels.end(), is_blank);
    SESAME_CHECK(!empty, table->where(), "the target (column \"{}\") is empty", column);
    example.label = example.labels.front();
    return;
  }
  SESAME_CHECK(!cell.is_list || kind == LabelKind::multi_label, table->where(),
               "\"{}\" is an array, {} is wanted", column,
               kind == LabelKind::number ? "a number" : "a single label as in the rows before");
  if (kind == LabelKind::number) {
    example.value = parse_number(cell.text, column, table->where());
  } else if (kind == LabelKind::one_class) {
    const auto alias = options.label_aliases.find(cell.text);
    example.label = alias == options.label_aliases.end() ? cell.text : alias->second;
    SESAME_CHECK(!example.label.empty(), table->where(), "the label (column \"{}\") is empty", column);
  } else {
    example.labels = cell.items;
    if (!cell.is_list && !cell.text.empty()) example.labels = split(cell.text, options.label_separator);
    for (const std::string& label : example.labels) {
      SESAME_CHECK(!label.empty(), table->where(), "one of the labels (column \"{}\") is empty", column);
    }
  }
}

bool ExampleReader::State::next_of_files(Example& example) {
  if (next_file == files.size()) return false;
  const auto& [file, label] = files[next_file++];
  LineReader lines(file);
  std::string line;
  example.texts.resize(1);
  while (lines.next(line)) example.texts[0] += (lines.line() > 1 ? "\n" : "") + line;
  if (options.need_label) example.label = label;
  example.line = next_file;
  return true;
}

bool ExampleReader::State::next_of_table(Example& example) {
  while (table->next(cells)) {
    if (table->format() == Format::lines) {
      if (text_count == 0) text_count = cells.size();
      SESAME_CHECK(cells.size() == text_count, table->where(), "{} texts separated by tabs, {} wanted",
                   cells.size(), text_count);
    }
    example.line = table->line();
    if (options.need_label) {
      const auto drop = options.drop_labels.find(cells.back().text);
      if (drop != options.drop_labels.end()) {
        count_dropped(dropped, drop->second, example.line);
        continue;
      }
      read_label(cells.back(), example);
    }
    for (size_t i = 0; i < text_count; ++i) {
      SESAME_CHECK(!cells[i].is_list && !cells[i].is_null, table->where(), "\"{}\" is {}, a text is wanted",
                   options.columns.texts[i], cells[i].is_list ? "an array" : "null");
      example.texts.push_back(std::move(cells[i].text));
    }
    return true;
  }
  return false;
}

ExampleReader::ExampleReader(const std::string& path, const ReadOptions& options)
    : state_(std::make_unique<State>()) {
  state_->path = path;
  state_->options = options;
  std::error_code ignored;
  if (options.folders && fs::is_directory(path, ignored)) {
    state_->open_folders();
  } else {
    state_->open_table();
  }
}

ExampleReader::~ExampleReader() = default;

bool ExampleReader::next(Example& example) {
  State& s = *state_;
  if (s.options.limit > 0 && s.given == s.options.limit) return false;
  example = Example{};
  if (!(s.table ? s.next_of_table(example) : s.next_of_files(example))) return false;
  ++s.given;
  s.empty_texts += std::any_of(example.texts.begin(), example.texts.end(), is_blank);
  return true;
}

LabelKind ExampleReader::kind() const { return state_->kind; }
std::string ExampleReader::where() const { return state_->table ? state_->table->where() : state_->path; }
size_t ExampleReader::empty_texts() const { return state_->empty_texts; }

std::vector<Dropped> ExampleReader::dropped() const {
  std::vector<Dropped> all = state_->dropped;
  if (state_->table) all.insert(all.end(), state_->table->dropped().begin(), state_->table->dropped().end());
  return all;
}

Dataset read_examples(const std::string& path, const ReadOptions& options) {
  ExampleReader reader(path, options);
  Dataset data;
  data.path = path;
  Example example;
  while (reader.next(example)) data.examples.push_back(std::move(example));
  data.kind = reader.kind();
  data.dropped = reader.dropped();
  data.empty_texts = reader.empty_texts();
  data.limited = options.limit > 0 && data.examples.size() == options.limit;
  if (data.examples.empty()) {
    const std::string dropped = describe_dropped(data.dropped);
    fail(path, "holds no example{}",
         dropped.empty() ? ": the file ends after its header" : ", rows dropped: " + dropped);
  }
  return data;
}

std::string describe(const Dataset& data) {
  std::string text =
      fmt::format("{} example{}", with_commas(data.examples.size()), data.examples.size() == 1 ? "" : "s");
  if (data.limited) text = "the first " + text;
  size_t dropped = 0;
  for (const Dropped& entry : data.dropped) dropped += entry.count;
  if (dropped > 0) {
    text += fmt::format(", {} row{} dropped ({})", with_commas(dropped), dropped == 1 ? "" : "s",
                        describe_dropped(data.dropped));
  }
  if (data.empty_texts > 0) text += fmt::format(", {} with an empty text", with_commas(data.empty_texts));
  return text;
}

}  // namespace sesame
