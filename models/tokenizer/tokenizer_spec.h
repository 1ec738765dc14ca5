// The parts of a tokenizer as they stand in its files, and the files themselves.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/tokenizer/added_tokens.h"
#include "models/tokenizer/normalizer.h"
#include "models/tokenizer/wordpiece.h"

namespace sesame {

struct TokenizerSpec {
  std::vector<std::string> vocab;  // vocab[id]; an empty string is an id without a token
  WordPieceOptions wordpiece;
  NormalizerOptions normalizer;
  std::vector<AddedToken> added;  // with their ids, which may lie beyond the vocabulary
  std::string cls_token = "[CLS]";
  std::string sep_token = "[SEP]";
  std::string pad_token = "[PAD]";
  std::string mask_token = "[MASK]";

  std::string where = "tokenizer";           // named in errors: the file that the vocabulary came from
  std::map<std::string, std::string> files;  // name -> bytes as found; save() writes them back
};

// Reads the files of a directory; see Tokenizer::load.
TokenizerSpec read_tokenizer(const std::string& directory);

// Writes the files of a directory; those that are not in spec.files are made. Each file is written under
// another name and then renamed, so that no half of one is left behind. Throws Error.
void write_tokenizer(const TokenizerSpec& spec, const std::string& directory);

// A spec from a vocabulary with [PAD], [UNK], [CLS], [SEP] and [MASK], which become its added tokens.
TokenizerSpec spec_from_vocab(std::vector<std::string> vocab, const NormalizerOptions& normalizer,
                              const std::string& where);

}  // namespace sesame
