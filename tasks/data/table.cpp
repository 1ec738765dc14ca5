#include "tasks/data/table.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "autograd/check.h"
#include "models/io/strict_json.h"

namespace sesame {

namespace {

void split_tabs(const std::string& line, std::vector<std::string>& fields) {
  size_t count = 0, begin = 0;
  while (true) {
    const size_t tab = line.find('\t', begin);
    if (fields.size() == count) fields.emplace_back();
    fields[count++].assign(line, begin, tab == std::string::npos ? tab : tab - begin);
    if (tab == std::string::npos) break;
    begin = tab + 1;
  }
  fields.resize(count);
}

std::string scalar_text(const Json& value, const std::string& key, const std::string& where) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    SESAME_CHECK(text.find('\0') == std::string::npos, where, "\"{}\" holds a NUL character", key);
    return text;
  }
  SESAME_CHECK(!value.is_structured(), where, "\"{}\" is {}, a string, number or array of them is wanted",
               key, value.is_object() ? "an object" : "an array within an array");
  return json_text(value);
}

Cell json_cell(const Json& value, const std::string& key, const std::string& where) {
  Cell cell;
  if (value.is_null()) {
    cell.is_null = true;
  } else if (value.is_array()) {
    cell.is_list = true;
    for (const Json& item : value) cell.items.push_back(scalar_text(item, key, where));
  } else {
    cell.text = scalar_text(value, key, where);
  }
  return cell;
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

std::string quote_all(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", name);
  return text.empty() ? "none" : text;
}

}  // namespace

Format parse_format(const std::string& name) {
  if (name.empty() || name == "auto") return Format::automatic;
  if (name == "tsv") return Format::tsv;
  if (name == "csv") return Format::csv;
  if (name == "jsonl" || name == "json") return Format::jsonl;
  if (name == "lines") return Format::lines;
  fail("--format", "unknown format \"{}\"; known: auto, tsv, csv, jsonl, lines", name);
}

Format format_of(const std::string& path) {
  std::string_view name = path;
  if (name == "-") return Format::lines;
  if (name.ends_with(".gz")) name.remove_suffix(3);
  if (name.ends_with(".tsv")) return Format::tsv;
  if (name.ends_with(".csv")) return Format::csv;
  if (name.ends_with(".jsonl") || name.ends_with(".json")) return Format::jsonl;
  if (name.ends_with(".txt")) return Format::lines;
  fail(path,
       "the extension does not tell the format; say it: --format tsv / csv / jsonl / lines (--task extract: "
       "also squad)");
}

void count_dropped(std::vector<Dropped>& dropped, const std::string& reason, size_t line) {
  for (Dropped& entry : dropped) {
    if (entry.reason == reason) {
      ++entry.count;
      return;
    }
  }
  dropped.push_back({reason, 1, line});
}

TableReader::TableReader(const std::string& path, Format format, Ragged ragged,
                         std::vector<std::string> headerless, const std::string& header_mark)
    : lines_(path), format_(format == Format::automatic ? format_of(path) : format), ragged_(ragged) {
  if (format_ != Format::lines) read_header(headerless, header_mark);
}

void TableReader::read_header(const std::vector<std::string>& headerless, const std::string& header_mark) {
  if (format_ == Format::jsonl) {
    do {
      SESAME_CHECK(lines_.next(text_), lines_.name(), "is empty, one JSON object a line is wanted");
    } while (text_.find_first_not_of(" \t") == std::string::npos);
    header_where_ = lines_.where();
    columns_ = keys_of(parse_json_line(text_, header_where_));
    lines_.unread();
    return;
  }
  SESAME_CHECK(read_fields(fields_), lines_.name(), "is empty, a header with the column names is wanted");
  header_where_ = where();
  const bool is_header = std::find(fields_.begin(), fields_.end(), header_mark) != fields_.end();
  if (!headerless.empty() && !is_header) {
    columns_ = headerless;
    lines_.unread();
    return;
  }
  columns_ = fields_;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const bool repeated =
        std::find(columns_.begin(), columns_.begin() + i, columns_[i]) != columns_.begin() + i;
    SESAME_CHECK(columns_[i].empty() || !repeated, where(), "the header names column \"{}\" twice",
                 columns_[i]);
  }
}

bool TableReader::has(const std::string& column) const {
  return std::find(columns_.begin(), columns_.end(), column) != columns_.end();
}

void TableReader::select(const std::vector<std::string>& columns) {
  selected_ = columns;
  indices_.clear();
  for (const std::string& column : columns) {
    const auto found = std::find(columns_.begin(), columns_.end(), column);
    SESAME_CHECK(found != columns_.end(), header_where_,
                 "no column \"{}\"; found: {}; name the columns with --columns text=...,label=... (text2=... "
                 "for a second text, target=... of --task generate)",
                 column, quote_all(columns_));
    indices_.push_back(static_cast<size_t>(found - columns_.begin()));
  }
}

std::string TableReader::where() const { return fmt::format("{}:{}", lines_.name(), row_line_); }

// RFC 4180: a field in quotes may hold separators, newlines and doubled quotes.
bool TableReader::read_csv(std::vector<std::string>& fields) {
  fields.assign(1, "");
  bool quoted = false;
  while (true) {
    size_t i = 0;
    while (i < text_.size()) {
      const char c = text_[i];
      if (quoted) {
        if (c != '"') {
          fields.back() += c;
          ++i;
        } else if (i + 1 < text_.size() && text_[i + 1] == '"') {
          fields.back() += '"';
          i += 2;
        } else {
          quoted = false;
          ++i;
          SESAME_CHECK(i == text_.size() || text_[i] == ',', lines_.where(),
                       "text after a closing quote at byte {}; quotes inside a quoted field are doubled",
                       i + 1);
        }
      } else if (c == ',') {
        fields.emplace_back();
        ++i;
      } else if (c == '"' && (i == 0 || text_[i - 1] == ',')) {
        quoted = true;
        ++i;
      } else {
        const size_t comma = std::min(text_.find(',', i), text_.size());
        fields.back().append(text_, i, comma - i);
        i = comma;
      }
    }
    if (!quoted) return true;
    fields.back() += '\n';
    SESAME_CHECK(lines_.next(text_), where(), "the quote opened in this row is never closed");
  }
}

bool TableReader::read_fields(std::vector<std::string>& fields) {
  while (lines_.next(text_)) {
    row_line_ = lines_.line();
    // A blank line is an empty text where a row is a single field, a stray line anywhere else.
    const bool one_field = format_ == Format::lines || columns_.size() == 1;
    if (text_.empty() && !one_field) {
      count_dropped(dropped_, "blank line", row_line_);
      continue;
    }
    if (format_ == Format::csv) return read_csv(fields);
    split_tabs(text_, fields);
    return true;
  }
  return false;
}

bool TableReader::next_object(std::vector<Cell>& cells) {
  while (lines_.next(text_)) {
    row_line_ = lines_.line();
    if (text_.find_first_not_of(" \t") == std::string::npos) {
      count_dropped(dropped_, "blank line", row_line_);
      continue;
    }
    const Json object = parse_json_line(text_, where());
    cells.clear();
    for (const std::string& column : selected_) {
      const auto found = object.find(column);
      SESAME_CHECK(found != object.end(), where(), "no key \"{}\"; found: {}", column,
                   quote_all(keys_of(object)));
      cells.push_back(json_cell(*found, column, where()));
    }
    return true;
  }
  return false;
}

bool TableReader::next(std::vector<Cell>& cells) {
  if (format_ == Format::jsonl) return next_object(cells);
  while (read_fields(fields_)) {
    if (format_ != Format::lines && fields_.size() != columns_.size()) {
      const bool allowed =
          ragged_ == (fields_.size() < columns_.size() ? Ragged::allow_short : Ragged::allow_extra);
      if (ragged_ == Ragged::drop) {
        count_dropped(dropped_, "wrong number of columns", row_line_);
        continue;
      }
      SESAME_CHECK(allowed, where(), "{} columns, the header has {} ({})", fields_.size(), columns_.size(),
                   quote_all(columns_));
      fields_.resize(columns_.size());
    }
    const size_t count = format_ == Format::lines ? fields_.size() : indices_.size();
    cells.resize(count);
    for (size_t i = 0; i < count; ++i) {
      cells[i] = Cell{};
      cells[i].text = fields_[format_ == Format::lines ? i : indices_[i]];
    }
    return true;
  }
  return false;
}

}  // namespace sesame
