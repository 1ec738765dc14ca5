// Rows of TSV, CSV, JSONL and plain-line files, by column name.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "tasks/data/source.h"

namespace sesame {

// tsv: tab-separated, never quoted. csv: RFC 4180, quoted newlines included. jsonl: one object a line.
// lines: no header, the tab-separated parts of a line are its texts.
enum class Format { automatic, tsv, csv, jsonl, lines };

// From --format ("", "auto", "tsv", "csv", "jsonl", "lines"); Error lists them.
Format parse_format(const std::string& name);
// By extension: .tsv .csv .jsonl .json .txt, a trailing .gz taken off. Standard input and .txt are plain
// lines. Another extension is an Error that names --format.
Format format_of(const std::string& path);

// One field of a row. JSON numbers and booleans come as their text; an array of such fills `items`.
struct Cell {
  std::string text;
  std::vector<std::string> items;
  bool is_list = false;
  bool is_null = false;  // JSON null
};

// What to do with a row that has another number of fields than the header.
enum class Ragged {
  refuse,       // Error
  drop,         // leave it out and count it
  allow_extra,  // more fields than the header names are ignored (STS-B)
  allow_short   // missing fields at the end are empty (SNLI)
};

// Rows left out, why, and the first of them.
struct Dropped {
  std::string reason;
  size_t count = 0;
  size_t first_line = 0;
};

// Adds one row to the count of `reason`.
void count_dropped(std::vector<Dropped>& dropped, const std::string& reason, size_t line);

class TableReader {
 public:
  // `headerless`: column names of files that are published without a header. They are used unless the first
  // line holds `header_mark`, the name of a column that only a header would contain.
  TableReader(const std::string& path, Format format, Ragged ragged = Ragged::refuse,
              std::vector<std::string> headerless = {}, const std::string& header_mark = "");

  // The header; for JSONL the keys of the first object.
  const std::vector<std::string>& columns() const { return columns_; }
  bool has(const std::string& column) const;
  // The columns that next() gives out, in this order. A missing one is an Error that lists those found.
  void select(const std::vector<std::string>& columns);
  // The next row; for Format::lines all its parts. Blank lines are left out and counted, except where they
  // are an empty text (plain lines, a table of one column).
  bool next(std::vector<Cell>& cells);

  Format format() const { return format_; }
  size_t line() const { return row_line_; }  // first line of the row given out last
  std::string where() const;
  const std::vector<Dropped>& dropped() const { return dropped_; }

 private:
  bool read_fields(std::vector<std::string>& fields);
  bool read_csv(std::vector<std::string>& fields);
  bool next_object(std::vector<Cell>& cells);
  void read_header(const std::vector<std::string>& headerless, const std::string& header_mark);

  LineReader lines_;
  Format format_;
  Ragged ragged_;
  std::vector<std::string> columns_, selected_, fields_;
  std::vector<size_t> indices_;
  std::string text_, header_where_;
  std::vector<Dropped> dropped_;
  size_t row_line_ = 0;
};

}  // namespace sesame
