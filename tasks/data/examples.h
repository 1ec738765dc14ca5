// From a table to examples: which columns are texts, which is the label, what the label means.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tasks/data/example.h"
#include "tasks/data/table.h"

namespace sesame {

// Column names. No texts given: `text`, `text2`, `text3` ... as far as the file has them.
struct ColumnSpec {
  std::vector<std::string> texts;
  std::string label;  // default: `label`, else `target`; of LabelKind::text: `target`, else `label`
};

// "text=sentence1,text2=sentence2,label=gold": parts not named keep what `base` says (`target` is another
// name for label). Error on unknown names, gaps in the numbering and empty parts.
ColumnSpec parse_columns(const std::string& option, const ColumnSpec& base = {});

struct ReadOptions {
  ColumnSpec columns;
  Format format = Format::automatic;
  LabelKind kind = LabelKind::automatic;
  bool need_label = true;  // false: labels are not read (predict)
  size_t text_count = 0;   // texts per row that there must be; 0: as many as the file or its first row has
  size_t limit = 0;        // the first N examples; 0: all
  std::string label_separator = "|";  // between the labels of a multi-label cell

  // Rules of published files, set by presets.
  Ragged ragged = Ragged::refuse;
  std::vector<std::string> headerless;               // column names where the file has no header line
  bool txt_is_tsv = false;                           // .txt is a table, not plain lines
  bool folders = false;                              // a directory of <label>/*.txt (IMDB)
  std::map<std::string, std::string> drop_labels;    // label -> reason for which its rows are left out
  std::map<std::string, std::string> label_aliases;  // other spelling -> label
};

// Examples one at a time; for `predict` on a stream. Errors carry file:line.
class ExampleReader {
 public:
  ExampleReader(const std::string& path, const ReadOptions& options);
  ~ExampleReader();
  bool next(Example& example);

  LabelKind kind() const;
  std::string where() const;
  size_t empty_texts() const;
  std::vector<Dropped> dropped() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The whole file, or its first `limit` examples. A file without a row is an Error.
Dataset read_examples(const std::string& path, const ReadOptions& options);

// "1,200 examples, 3 rows dropped (no gold label: 3, first at line 17), 2 with an empty text".
std::string describe(const Dataset& data);

}  // namespace sesame
