#include "models/tokenizer/wordpiece.h"

#include <unordered_set>

#include "autograd/check.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

ByteTrie build_trie(const std::vector<std::string>& vocab, const std::string& where) {
  std::vector<std::pair<std::string_view, int32_t>> keys;
  std::unordered_set<std::string_view> seen;
  keys.reserve(vocab.size());
  seen.reserve(vocab.size());
  for (size_t id = 0; id < vocab.size(); ++id) {
    if (vocab[id].empty()) continue;
    SESAME_CHECK(seen.insert(vocab[id]).second, where,
                 "token \"{}\" stands twice in the vocabulary: again with id {}", vocab[id], id);
    keys.emplace_back(vocab[id], static_cast<int32_t>(id));
  }
  return ByteTrie(std::move(keys));
}

}  // namespace

WordPiece::WordPiece(const std::vector<std::string>& vocab, WordPieceOptions options,
                     const std::string& where)
    : options_(std::move(options)), trie_(build_trie(vocab, where)) {
  unk_id_ = find(options_.unk_token);
  SESAME_CHECK(unk_id_ >= 0, where, "the vocabulary ({} tokens) lacks the unknown token \"{}\"", vocab.size(),
               options_.unk_token);
  continuation_ = trie_.find(options_.continuing_subword_prefix);
}

int32_t WordPiece::find(std::string_view token) const {
  const int32_t node = trie_.find(token);
  return node == ByteTrie::kNone ? -1 : trie_.value(node);
}

void WordPiece::split(std::string_view word, std::vector<int32_t>& ids, std::vector<int32_t>* ends) const {
  const size_t ids_before = ids.size();
  const size_t ends_before = ends ? ends->size() : 0;
  const auto limit = static_cast<size_t>(options_.max_input_chars_per_word);
  bool known = word.size() <= limit || count_utf8(word) <= limit;
  int32_t start = ByteTrie::kRoot;
  for (size_t begin = 0; known && begin < word.size();) {
    size_t end = begin;
    int32_t longest = -1;
    int32_t node = start;
    for (size_t i = begin; node != ByteTrie::kNone && i < word.size();) {
      node = trie_.child(node, static_cast<uint8_t>(word[i++]));
      if (node != ByteTrie::kNone && trie_.value(node) >= 0) {
        longest = trie_.value(node);
        end = i;
      }
    }
    known = longest >= 0;
    if (known) {
      ids.push_back(longest);
      if (ends) ends->push_back(static_cast<int32_t>(end));
    }
    begin = end;
    start = continuation_;
  }
  if (known) return;
  ids.resize(ids_before);
  ids.push_back(unk_id_);
  if (ends) {
    ends->resize(ends_before);
    ends->push_back(static_cast<int32_t>(word.size()));
  }
}

}  // namespace sesame
