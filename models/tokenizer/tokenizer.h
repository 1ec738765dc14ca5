// BERT's tokenizer: equal in ids and offsets to the fast tokenizer of Hugging Face for the same directory.
//
//   const Tokenizer tokenizer = Tokenizer::load("models/minilm");
//   Encoding one = tokenizer.encode("A sentence.");                          // [CLS] a sentence . [SEP]
//   Encoding pair = tokenizer.encode_texts({"A?", "B."}, {.max_length = 128});  // [CLS] a ? [SEP] b . [SEP]
//
// A Tokenizer is a shared, constant handle: copies are cheap and every method may run on several threads at
// once. All texts are UTF-8; invalid UTF-8 and NUL throw Error with the byte offset (see also find_text_fault
// in utf8.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/tokenizer/encoding.h"

namespace sesame {

struct TokenizerSpec;

struct EncodeOptions {
  size_t max_length = 0;  // tokens of an input, [CLS] and [SEP] included, cut "longest first"; 0: no limit
  bool plain_special = false;  // [SEP], [MASK] ... spelled out in a text are ordinary text
};

class Tokenizer {
 public:
  // Reads tokenizer.json, or else vocab.txt with tokenizer_config.json, of a Hugging Face directory.
  // Throws Error with the file for what is missing, malformed or not supported.
  static Tokenizer load(const std::string& directory);

  // From parts; for vocabularies of one's own. Throws Error for parts that do not fit together.
  explicit Tokenizer(TokenizerSpec spec);

  // Writes vocab.txt, tokenizer.json, tokenizer_config.json and special_tokens_map.json, from which
  // transformers loads an equal tokenizer. Files that were there when this tokenizer was loaded are written
  // with the same bytes.
  void save(const std::string& directory) const;

  // One text: [CLS] a [SEP].
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;

  // Any number of texts (at least one): [CLS] a [SEP] b [SEP] c [SEP].
  Encoding encode_texts(const std::vector<std::string_view>& texts, const EncodeOptions& options = {}) const;

  // As encode_texts, but instead of cutting, windows are laid over the last text ("only_second" with
  // overflow): each is an input of at most options.max_length tokens with all texts before it whole, and
  // neighbours share `stride` tokens of the last text. Throws Error where the texts before the last leave no
  // room for more than `stride` tokens.
  std::vector<Encoding> encode_windows(const std::vector<std::string_view>& texts, size_t stride,
                                       const EncodeOptions& options) const;

  // One text that comes as words: Encoding::words tells the word of each token, offsets count within the
  // word.
  Encoding encode_words(std::span<const std::string_view> words, const EncodeOptions& options = {}) const;
  Encoding encode_words(std::span<const std::string> words, const EncodeOptions& options = {}) const;

  // Appends the ids of a text, without [CLS] and [SEP]; faster than encode.
  void encode_ids(std::string_view text, std::vector<int32_t>& ids, bool plain_special = false) const;

  // Appends ids and type ids of the input that encode_texts makes; faster than encode_texts.
  void encode_ids(std::span<const std::string_view> texts, const EncodeOptions& options,
                  std::vector<int32_t>& ids, std::vector<int32_t>& type_ids) const;

  // encode by the plain path, step by step as documented; for tests of the fast one.
  Encoding encode_plainly(std::string_view text, const EncodeOptions& options = {}) const;

  size_t vocab_size() const;  // highest id + 1, added tokens included
  // The token of an id; empty for an id that has none. Throws Error outside of [0, vocab_size).
  const std::string& token(int32_t id) const;
  // The id of a token of the vocabulary or an added token, or -1.
  int32_t find(std::string_view token) const;

  int32_t cls_id() const;
  int32_t sep_id() const;
  int32_t unk_id() const;
  int32_t pad_id() const;   // -1 where the vocabulary has none
  int32_t mask_id() const;  // -1 where the vocabulary has none

 private:
  struct State;
  std::shared_ptr<const State> state_;
};

}  // namespace sesame
