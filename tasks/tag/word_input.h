// A sentence of words as the model reads it: [CLS] words [SEP] context [SEP] ..., in windows where it is too
// long.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/bert/packed_batch.h"
#include "models/tokenizer/tokenizer.h"
#include "tasks/tag/word_reader.h"

namespace sesame {

struct WordInputOptions {
  std::int64_t max_length = 128;  // tokens of a window, special ones included
  std::int64_t stride = 32;       // tokens of words that neighbouring windows share
  bool plain_special = false;
};

struct WordInput {
  std::vector<TokenSequence> windows;  // none for a sentence without words
  // Where the tag of each word is read: at its first token, in the window that shows most of the sentence
  // around it.
  struct Place {
    std::size_t window = 0;
    std::int64_t position = 0;  // in the window
  };
  std::vector<Place> places;      // [words]
  std::int64_t example = 0;       // names its draws of dropout
  std::size_t unknown_words = 0;  // words without a token of their own (control characters): read as [UNK]
  std::int64_t tokens() const;
};

// Every word is tokenised by itself. Further texts are cut, the words never: the texts share what the words
// leave of a window, at least a quarter of it if they are that long; words that do not fit then go on in
// further windows, each with the same texts. `example` numbers the sentence in its update; window w draws its
// dropout as example 64 * example + w, whatever else is in the batch.
WordInput make_word_input(const Tokenizer& tokenizer, const WordSentence& sentence,
                          const WordInputOptions& options, std::int64_t example);

// Throws Error when --stride leaves a window of `max_length` tokens with `contexts` further texts no way
// ahead.
void check_stride(const WordInputOptions& options, std::size_t contexts);

// Sentences packed for one pass through the model.
struct WordBatch {
  PackedBatch tokens;
  Tensor rows;         // [W] int64: the row of each word's first token, sentence by sentence
  Segments sentences;  // [W] words as sequences
};
WordBatch pack_words(const std::vector<WordInput>& inputs, std::int64_t max_positions, Device device);

}  // namespace sesame
