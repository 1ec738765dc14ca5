// Sentences that come as words, with a tag for each: CoNLL columns, CoNLL-U, JSON lines, plain lines.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tasks/data/examples.h"
#include "tasks/metrics/entities.h"

namespace sesame {

struct WordSentence {
  std::vector<std::string> words;
  std::vector<std::string> tags;        // as many as words, or none where tags are not read
  std::vector<std::string> contexts;    // further texts
  std::size_t line = 0;                 // where the sentence begins in its file
  std::vector<std::size_t> lines = {};  // of each word, where every word has its own
};

// conll: a word a line, columns apart by tabs (else by blanks), an empty line between sentences; word first,
// tag last. conllu: FORM and UPOS. jsonl: {"words" or "tokens": [...], "tags": [...]} and further texts in
// text2, text3 ... lines: words apart by blanks, further texts behind tabs; no tags.
enum class WordFormat { automatic, conll, conllu, jsonl, lines };

// From --format; Error lists them.
WordFormat parse_word_format(const std::string& name);
const char* word_format_name(WordFormat format);  // "auto", "conll", "conllu", "jsonl", "lines"

struct WordReadOptions {
  // text and label name a column: by number, from the end where negative (conll), by CoNLL-U's own names or
  // number (conllu), or by key (jsonl); text2, text3 ... are keys.
  ColumnSpec columns;
  WordFormat format = WordFormat::automatic;  // --format
  WordFormat otherwise =
      WordFormat::automatic;  // where neither --format nor the extension says: that of the preset
  bool need_tags = true;
  std::size_t context_count = 0;  // further texts that a sentence must have (fixed_contexts)
  bool fixed_contexts = false;
  std::size_t limit = 0;  // the first N sentences; 0: all
};

// By --format, else by the extension (.conll .conllu .jsonl .json), else `otherwise`; a .txt and standard
// input are plain lines where no tags are needed, else CoNLL columns. Error where nothing tells.
WordFormat word_format_of(const std::string& path, const WordReadOptions& options);

// Sentences one at a time. Errors carry file:line.
class WordReader {
 public:
  WordReader(const std::string& path, const WordReadOptions& options);
  ~WordReader();
  bool next(WordSentence& sentence);

  // Rows left out: CoNLL-U's multi-word tokens (1-2) and empty nodes (3.1), -DOCSTART-, byte-order marks on
  // lines of their own.
  const std::vector<Dropped>& dropped() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct WordData {
  std::string path;
  std::vector<WordSentence> sentences;
  std::vector<Dropped> dropped;
  std::size_t words = 0;
  bool limited = false;

  // "dev.conll:17": of word w of a sentence.
  std::string where(const WordSentence& sentence, std::size_t w) const;
  TagLists tags() const;
};

// The whole file, or its first sentences. A file without a sentence is an Error.
WordData read_words(const std::string& path, const WordReadOptions& options);

// "1,200 sentences, 15,000 words, 3 rows left out (multi-word token: 3, first at line 17)".
std::string describe(const WordData& data);

}  // namespace sesame
