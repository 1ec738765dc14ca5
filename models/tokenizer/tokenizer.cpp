#include "models/tokenizer/tokenizer.h"

#include <algorithm>

#include "autograd/check.h"
#include "models/tokenizer/template.h"
#include "models/tokenizer/text_encoder.h"
#include "models/tokenizer/tokenizer_spec.h"

namespace sesame {

struct Tokenizer::State {
  TokenizerSpec spec;
  TextEncoder encoder;
  std::vector<std::string> tokens;  // by id, added tokens included
  InputTemplate form;
  int32_t pad_id = -1;
  int32_t mask_id = -1;

  explicit State(TokenizerSpec given)
      : spec(std::move(given)),
        encoder(spec.normalizer, WordPiece(spec.vocab, spec.wordpiece, spec.where), spec.added),
        tokens(spec.vocab) {
    for (const AddedToken& added : spec.added) place(added);
    form = {required(spec.cls_token, "class"), required(spec.sep_token, "separator")};
    pad_id = find(spec.pad_token);
    mask_id = find(spec.mask_token);
  }

  int32_t find(std::string_view token) const {
    for (const AddedToken& added : spec.added) {
      if (added.content == token) return added.id;
    }
    return encoder.pieces().find(token);
  }

  // Texts as they are joined. Throws if the template alone exceeds the limit.
  size_t budget(size_t texts, size_t max_length) const {
    const size_t added = InputTemplate::added(texts);
    SESAME_CHECK(max_length >= added, "tokenizer",
                 "max_length {} is too small: [CLS] and [SEP] of {} text{} take {}", max_length, texts,
                 texts == 1 ? "" : "s", added);
    return max_length - added;
  }

  std::vector<size_t> kept(std::span<const size_t> lengths, size_t max_length) const {
    if (max_length == 0) return {lengths.begin(), lengths.end()};
    return longest_first(lengths, budget(lengths.size(), max_length));
  }

  Encoding cut_and_join(std::span<const Encoding> texts, size_t max_length) const {
    std::vector<size_t> lengths;
    for (const Encoding& text : texts) lengths.push_back(text.size());
    std::vector<TokenRange> ranges;
    for (const size_t length : kept(lengths, max_length)) ranges.push_back({0, length});
    return join(form, texts, ranges);
  }

  std::vector<Encoding> encode_each(const std::vector<std::string_view>& texts, bool plain_special) const {
    SESAME_CHECK(!texts.empty(), "tokenizer", "an input needs at least one text");
    std::vector<Encoding> parts(texts.size());
    for (size_t i = 0; i < texts.size(); ++i) encoder.encode(texts[i], plain_special, parts[i]);
    return parts;
  }

  template <class Words>
  Encoding encode_words(const Words& words, const EncodeOptions& options) const {
    Encoding all;
    for (size_t w = 0; w < words.size(); ++w) {
      const size_t before = all.size();
      encoder.encode(words[w], options.plain_special, all);
      std::fill(all.words.begin() + static_cast<ptrdiff_t>(before), all.words.end(), static_cast<int32_t>(w));
    }
    return cut_and_join({&all, 1}, options.max_length);
  }

 private:
  // An added token names a token of the vocabulary with its id, or takes an id that is free.
  void place(const AddedToken& added) {
    const auto limit = static_cast<int32_t>(spec.vocab.size() + (1 << 16));
    SESAME_CHECK(!added.content.empty(), spec.where, "an added token is empty (id {})", added.id);
    SESAME_CHECK(added.id >= 0 && added.id < limit, spec.where,
                 "added token \"{}\" has id {}: not in [0, {})", added.content, added.id, limit);
    const int32_t in_vocab = encoder.pieces().find(added.content);
    SESAME_CHECK(in_vocab < 0 || in_vocab == added.id, spec.where,
                 "added token \"{}\" has id {}, but id {} in the vocabulary", added.content, added.id,
                 in_vocab);
    const auto id = static_cast<size_t>(added.id);
    if (id >= tokens.size()) tokens.resize(id + 1);
    SESAME_CHECK(tokens[id].empty() || tokens[id] == added.content, spec.where,
                 "added token \"{}\" has id {}, which is the id of \"{}\"", added.content, added.id,
                 tokens[id]);
    tokens[id] = added.content;
  }

  int32_t required(const std::string& token, const char* role) const {
    const int32_t id = find(token);
    SESAME_CHECK(id >= 0, spec.where, "the vocabulary ({} tokens) lacks the {} token \"{}\"", tokens.size(),
                 role, token);
    return id;
  }
};

Tokenizer Tokenizer::load(const std::string& directory) { return Tokenizer(read_tokenizer(directory)); }

Tokenizer::Tokenizer(TokenizerSpec spec) : state_(std::make_shared<State>(std::move(spec))) {}

void Tokenizer::save(const std::string& directory) const { write_tokenizer(state_->spec, directory); }

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  return encode_texts({text}, options);
}

Encoding Tokenizer::encode_texts(const std::vector<std::string_view>& texts,
                                 const EncodeOptions& options) const {
  return state_->cut_and_join(state_->encode_each(texts, options.plain_special), options.max_length);
}

Encoding Tokenizer::encode_plainly(std::string_view text, const EncodeOptions& options) const {
  Encoding part;
  state_->encoder.encode_plainly(text, options.plain_special, part);
  return state_->cut_and_join({&part, 1}, options.max_length);
}

std::vector<Encoding> Tokenizer::encode_windows(const std::vector<std::string_view>& texts, size_t stride,
                                                const EncodeOptions& options) const {
  const std::vector<Encoding> parts = state_->encode_each(texts, options.plain_special);
  const size_t budget = state_->budget(parts.size(), options.max_length);
  std::vector<TokenRange> ranges;
  size_t before = 0;  // tokens of the texts that stay whole
  for (const Encoding& part : parts) ranges.push_back({0, part.size()});
  for (size_t i = 0; i + 1 < parts.size(); ++i) before += parts[i].size();
  if (before + parts.back().size() <= budget) return {join(state_->form, parts, ranges)};
  SESAME_CHECK(
      before + stride < budget, "tokenizer",
      "max_length {} leaves {} tokens for a window with a stride of {}: {} go to [CLS] and [SEP], {} to the "
      "texts before the last; shorten them, raise max_length or lower the stride",
      options.max_length, before < budget ? budget - before : 0, stride, InputTemplate::added(parts.size()),
      before);
  std::vector<Encoding> windows;
  for (const TokenRange& window : stride_windows(parts.back().size(), budget - before, stride)) {
    ranges.back() = window;
    windows.push_back(join(state_->form, parts, ranges));
  }
  return windows;
}

Encoding Tokenizer::encode_words(std::span<const std::string_view> words,
                                 const EncodeOptions& options) const {
  return state_->encode_words(words, options);
}

Encoding Tokenizer::encode_words(std::span<const std::string> words, const EncodeOptions& options) const {
  return state_->encode_words(words, options);
}

void Tokenizer::encode_ids(std::string_view text, std::vector<int32_t>& ids, bool plain_special) const {
  state_->encoder.encode_ids(text, plain_special, ids);
}

void Tokenizer::encode_ids(std::span<const std::string_view> texts, const EncodeOptions& options,
                           std::vector<int32_t>& ids, std::vector<int32_t>& type_ids) const {
  SESAME_CHECK(!texts.empty(), "tokenizer", "an input needs at least one text");
  std::vector<int32_t> all;
  std::vector<size_t> lengths;
  for (const std::string_view text : texts) {
    const size_t before = all.size();
    encode_ids(text, all, options.plain_special);
    lengths.push_back(all.size() - before);
  }
  const std::vector<size_t> kept = state_->kept(lengths, options.max_length);
  ids.push_back(cls_id());
  type_ids.push_back(0);
  auto part = all.begin();
  for (size_t i = 0; i < texts.size(); ++i) {
    ids.insert(ids.end(), part, part + static_cast<ptrdiff_t>(kept[i]));
    ids.push_back(sep_id());
    type_ids.insert(type_ids.end(), kept[i] + 1, i == 0 ? 0 : 1);
    part += static_cast<ptrdiff_t>(lengths[i]);
  }
}

size_t Tokenizer::vocab_size() const { return state_->tokens.size(); }

const std::string& Tokenizer::token(int32_t id) const {
  SESAME_CHECK(id >= 0 && static_cast<size_t>(id) < vocab_size(), "tokenizer", "id {} is not in [0, {})", id,
               vocab_size());
  return state_->tokens[static_cast<size_t>(id)];
}

int32_t Tokenizer::find(std::string_view token) const { return state_->find(token); }
int32_t Tokenizer::cls_id() const { return state_->form.cls_id; }
int32_t Tokenizer::sep_id() const { return state_->form.sep_id; }
int32_t Tokenizer::unk_id() const { return state_->encoder.pieces().unk_id(); }
int32_t Tokenizer::pad_id() const { return state_->pad_id; }
int32_t Tokenizer::mask_id() const { return state_->mask_id; }

}  // namespace sesame
