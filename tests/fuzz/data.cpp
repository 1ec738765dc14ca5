// Readers of data. The first byte of an input picks format and options, the rest is the file.
#include <array>

#include "tasks/extract/question_reader.h"
#include "tasks/generate/sequence_data.h"
#include "tasks/tag/word_reader.h"
#include "tests/fuzz/target.h"

using namespace sesame;

namespace {

unsigned choice(std::string_view& bytes) {
  if (bytes.empty()) return 0;
  const auto byte = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  return byte;
}

}  // namespace

// Bits 0-1: TSV, CSV, JSON lines, plain lines; 2-4: what labels are; 5-6: rows of another width; 7: gzip
// allowed.
SESAME_FUZZ_TARGET(table) {
  const unsigned pick = choice(bytes);
  ReadOptions options;
  options.format = std::array{Format::tsv, Format::csv, Format::jsonl, Format::lines}[pick & 3];
  options.kind = std::array{LabelKind::automatic, LabelKind::one_class, LabelKind::multi_label,
                            LabelKind::number,    LabelKind::text,      LabelKind::none,
                            LabelKind::automatic, LabelKind::one_class}[pick >> 2 & 7];
  options.need_label = options.kind != LabelKind::none;
  options.ragged =
      std::array{Ragged::refuse, Ragged::drop, Ragged::allow_extra, Ragged::allow_short}[pick >> 5 & 3];
  (void)describe(read_examples(fuzz::file_with(bytes, pick & 128 ? "input.gz" : "input"), options));
}

// CoNLL, CoNLL-U, JSON lines, plain lines; bit 2: without tags.
SESAME_FUZZ_TARGET(words) {
  const unsigned pick = choice(bytes);
  WordReadOptions options;
  options.format =
      std::array{WordFormat::conll, WordFormat::conllu, WordFormat::jsonl, WordFormat::lines}[pick & 3];
  options.need_tags = (pick & 4) == 0;
  (void)describe(read_words(fuzz::file_with(bytes), options));
}

// SQuAD JSON, JSON lines, TSV, CSV, plain lines, or .json by its content; bit 3: without answers.
SESAME_FUZZ_TARGET(questions) {
  const unsigned pick = choice(bytes);
  QuestionReadOptions options;
  options.format = std::array{"squad", "jsonl", "tsv", "csv", "lines", "auto", "squad", "jsonl"}[pick & 7];
  options.need_answers = (pick & 8) == 0;
  (void)read_questions(fuzz::file_with(bytes, "input.json"), options);
}

// A source and a target file of parallel text.
SESAME_FUZZ_TARGET(parallel_text) {
  const std::string folder = fuzz::folder_with({"source.txt", "target.txt"}, bytes);
  (void)describe(read_sequences(folder + "/source.txt:" + folder + "/target.txt", {}));
}
