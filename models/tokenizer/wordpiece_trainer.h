// A WordPiece vocabulary from texts. As Hugging Face tokenizers' WordPieceTrainer, it starts from single
// characters and joins the most frequent pair of neighbouring pieces again and again (byte-pair encoding,
// Sennrich, Haddow & Birch 2016, with "##" before pieces that continue a word); text is split by longest
// match later, as always.
//
//   WordPieceTrainer trainer({.vocab_size = 8000});
//   for (const std::string& line : lines) trainer.add(line);
//   Tokenizer(trainer.train()).save("vocabulary");
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "models/tokenizer/tokenizer_spec.h"

namespace sesame {

struct WordPieceTrainerOptions {
  std::int64_t vocab_size =
      30000;  // with the special tokens; fewer where the texts do not hold as many pieces
  std::int64_t min_frequency = 2;  // of a pair that is joined
  std::int64_t alphabet =
      1000;  // most frequent characters that are kept; words with others are split without them
  // Cased text as it is, but for controls and white space; {} is BERT's uncased form.
  NormalizerOptions normalizer = {.strip_accents = false, .lowercase = false};
};

class WordPieceTrainer {
 public:
  // Throws Error for a vocab_size that has no room beside the special tokens.
  explicit WordPieceTrainer(const WordPieceTrainerOptions& options);

  // Counts the words of a text. Throws Error for invalid UTF-8 and NUL.
  void add(std::string_view text);

  // The vocabulary: [PAD], [UNK], [CLS], [SEP], [MASK], the characters, the joined pieces in the order in
  // which they were joined. Depends on the counts of the words only, not on their order. Throws Error when
  // there was no text.
  TokenizerSpec train() const;

 private:
  WordPieceTrainerOptions options_;
  std::unordered_map<std::string, std::int64_t> words_;  // normalised, with their counts
};

}  // namespace sesame
