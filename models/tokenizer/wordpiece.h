// WordPiece: a word becomes the longest vocabulary entry that begins it, then the longest that continues it,
// and so on (M. Schuster and K. Nakajima, "Japanese and Korean voice search", 2012; as used by BERT).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/byte_trie.h"

namespace sesame {

struct WordPieceOptions {
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";
  int max_input_chars_per_word = 100;  // a longer word is unknown
};

class WordPiece {
 public:
  // vocab[id] is the token of an id; an empty string stands for an id without a token. Throws Error for
  // repeated tokens and for a vocabulary without unk_token, naming `where`.
  WordPiece(const std::vector<std::string>& vocab, WordPieceOptions options, const std::string& where);

  // Appends the pieces of one normalised word (UTF-8, not empty) to `ids` and, where given, the end of each
  // piece in bytes to `ends`. A word that cannot be covered is one unknown token.
  void split(std::string_view word, std::vector<int32_t>& ids, std::vector<int32_t>* ends) const;

  int32_t unk_id() const { return unk_id_; }
  // The id of a token of the vocabulary, or -1.
  int32_t find(std::string_view token) const;
  const WordPieceOptions& options() const { return options_; }

 private:
  WordPieceOptions options_;
  ByteTrie trie_;
  int32_t continuation_ = ByteTrie::kNone;  // the node reached by continuing_subword_prefix
  int32_t unk_id_ = -1;
};

}  // namespace sesame
