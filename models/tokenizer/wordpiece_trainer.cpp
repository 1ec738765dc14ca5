#include "models/tokenizer/wordpiece_trainer.h"

#include <algorithm>
#include <array>
#include <map>
#include <queue>
#include <vector>

#include "autograd/check.h"
#include "models/tokenizer/unicode_tables.h"
#include "models/tokenizer/utf8.h"

namespace sesame {
namespace {

constexpr std::array kSpecial = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
constexpr const char* kPrefix = "##";
constexpr std::size_t kLongestWord = 100;  // characters; a longer one is never split (WordPieceOptions)

using Word = std::vector<std::int32_t>;  // its pieces as ids

std::uint64_t pair_key(std::int32_t a, std::int32_t b) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(a)) << 32 | static_cast<std::uint32_t>(b);
}

// A pair of neighbours: how often it occurs, and the words that (may) hold it.
struct Pair {
  std::int64_t count = 0, queued = 0;  // queued: the count it stands in the queue with
  std::vector<std::int32_t> words;
};

struct QueueEntry {
  std::int64_t count = 0;
  std::uint64_t pair = 0;
  // The most frequent on top; of equal ones that of the smaller ids.
  bool operator<(const QueueEntry& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

std::vector<char32_t> characters_of(const std::string& word) {
  std::vector<char32_t> list;
  const char* const end = word.data() + word.size();
  for (const char* p = word.data(); p < end;) p += decode_utf8(p, end, list.emplace_back());
  return list;
}

// The vocabulary while it grows.
class Merger {
 public:
  Merger(const std::unordered_map<std::string, std::int64_t>& counts, const WordPieceTrainerOptions& options)
      : options_(options) {
    for (const char* token : kSpecial) id_of(token);
    std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
    std::sort(sorted.begin(), sorted.end());
    add_alphabet(sorted);
    for (const auto& [word, count] : sorted) add_word(word, count);
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::size_t i = 0; i + 1 < words_[w].size(); ++i) {
        count_pair(words_[w][i], words_[w][i + 1], counts_[w], static_cast<std::int32_t>(w));
      }
    }
    queue_changed();
  }

  std::vector<std::string> run() {
    while (static_cast<std::int64_t>(vocab_.size()) < options_.vocab_size && !queue_.empty()) {
      const QueueEntry top = queue_.top();
      queue_.pop();
      const std::int64_t now = pairs_[top.pair].count;
      if (top.count != now) continue;  // an old entry: the pair stands elsewhere with its new count
      if (now < std::max<std::int64_t>(options_.min_frequency, 1)) break;
      merge(top.pair);
    }
    return std::move(vocab_);
  }

 private:
  std::int32_t id_of(const std::string& token) {
    const auto [found, fresh] = ids_.try_emplace(token, static_cast<std::int32_t>(vocab_.size()));
    if (fresh) vocab_.push_back(token);
    return found->second;
  }

  // The most frequent characters, in the order of their code points; then the forms that continue a word.
  void add_alphabet(const std::vector<std::pair<std::string, std::int64_t>>& words) {
    std::map<char32_t, std::int64_t> counts;
    std::map<char32_t, bool> continues;
    for (const auto& [word, count] : words) {
      const std::vector<char32_t> characters = characters_of(word);
      for (std::size_t i = 0; i < characters.size(); ++i) {
        counts[characters[i]] += count;
        continues[characters[i]] |= i > 0;
      }
    }
    std::vector<std::pair<std::int64_t, char32_t>> order;
    for (const auto& [c, count] : counts) order.emplace_back(-count, c);
    std::sort(order.begin(), order.end());
    const auto wanted = static_cast<std::size_t>(options_.alphabet);
    if (order.size() > wanted) order.resize(wanted);
    std::vector<char32_t> kept;
    for (const auto& entry : order) kept.push_back(entry.second);
    std::sort(kept.begin(), kept.end());
    for (const char32_t c : kept) {
      std::string text;
      append_utf8(c, text);
      alphabet_[c].first = id_of(text);
    }
    for (const char32_t c : kept) {
      if (!continues[c]) continue;
      std::string text = kPrefix;
      append_utf8(c, text);
      alphabet_[c].second = id_of(text);
    }
  }

  void add_word(const std::string& word, std::int64_t count) {
    Word pieces;
    bool first = true;
    for (const char32_t c : characters_of(word)) {
      const auto found = alphabet_.find(c);
      if (found != alphabet_.end()) pieces.push_back(first ? found->second.first : found->second.second);
      first = false;
    }
    if (pieces.size() < 2) return;  // nothing to join
    words_.push_back(std::move(pieces));
    counts_.push_back(count);
  }

  void count_pair(std::int32_t a, std::int32_t b, std::int64_t count, std::int32_t word) {
    const std::uint64_t key = pair_key(a, b);
    Pair& pair = pairs_[key];
    pair.count += count;
    if (count > 0 && (pair.words.empty() || pair.words.back() != word)) pair.words.push_back(word);
    changed_.push_back(key);
  }

  // Each pair whose count has changed stands in the queue with its new one.
  void queue_changed() {
    std::sort(changed_.begin(), changed_.end());
    changed_.erase(std::unique(changed_.begin(), changed_.end()), changed_.end());
    for (const std::uint64_t key : changed_) {
      Pair& pair = pairs_[key];
      if (pair.count > 0 && pair.count != pair.queued) queue_.push({pair.count, key});
      pair.queued = pair.count;
    }
    changed_.clear();
  }

  // Joins a pair wherever it stands.
  void merge(std::uint64_t key) {
    const auto a = static_cast<std::int32_t>(key >> 32), b = static_cast<std::int32_t>(key & 0xFFFFFFFFu);
    const std::int32_t joined =
        id_of(vocab_[static_cast<std::size_t>(a)] + vocab_[static_cast<std::size_t>(b)].substr(2));
    const std::vector<std::int32_t> words = std::move(pairs_[key].words);
    for (const std::int32_t w : words) merge_in_word(w, a, b, joined);
    pairs_[key] = {};
    queue_changed();
  }

  // Counts of the pairs around a joined one go down, those with the new piece go up.
  void merge_in_word(std::int32_t w, std::int32_t a, std::int32_t b, std::int32_t joined) {
    Word& word = words_[static_cast<std::size_t>(w)];
    const std::int64_t count = counts_[static_cast<std::size_t>(w)];
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      if (word[i] != a || word[i + 1] != b) continue;
      if (i > 0) {
        count_pair(word[i - 1], a, -count, w);
        count_pair(word[i - 1], joined, count, w);
      }
      if (i + 2 < word.size()) {
        count_pair(b, word[i + 2], -count, w);
        count_pair(joined, word[i + 2], count, w);
      }
      word[i] = joined;
      word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }
  }

  const WordPieceTrainerOptions& options_;
  std::vector<std::string> vocab_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::unordered_map<char32_t, std::pair<std::int32_t, std::int32_t>>
      alphabet_;  // as a beginning, as a continuation
  std::vector<Word> words_;
  std::vector<std::int64_t> counts_;  // of the words
  std::unordered_map<std::uint64_t, Pair> pairs_;
  std::priority_queue<QueueEntry> queue_;
  std::vector<std::uint64_t> changed_;
};

}  // namespace

WordPieceTrainer::WordPieceTrainer(const WordPieceTrainerOptions& options) : options_(options) {
  SESAME_CHECK(
      options.vocab_size > static_cast<std::int64_t>(kSpecial.size()) && options.vocab_size <= 1 << 24,
      "vocabulary", "{} entries: expected more than the {} special tokens and at most 2^24",
      options.vocab_size, kSpecial.size());
  SESAME_CHECK(options.min_frequency >= 0 && options.alphabet >= 1, "vocabulary",
               "min_frequency {} and alphabet {}: expected at least 0 and 1", options.min_frequency,
               options.alphabet);
}

// BERT's words: cut at white space, punctuation by itself.
void WordPieceTrainer::add(std::string_view text) {
  if (const auto fault = find_text_fault(text)) fail("vocabulary", "{}", *fault);
  const UnicodeTables& tables = UnicodeTables::get();
  std::string word;
  std::size_t length = 0;
  const auto flush = [&] {
    if (length > 0 && length <= kLongestWord) ++words_[word];
    word.clear();
    length = 0;
  };
  for (const NormalChar& n : normalize(text, options_.normalizer)) {
    const CharInfo& info = tables.info(n.c);
    if (info.is(kCharSpace)) {
      flush();
      continue;
    }
    if (info.is(kCharPunctuation)) flush();
    append_utf8(n.c, word);
    ++length;
    if (info.is(kCharPunctuation)) flush();
  }
  flush();
}

TokenizerSpec WordPieceTrainer::train() const {
  SESAME_CHECK(!words_.empty(), "vocabulary", "there was no text to make it from");
  return spec_from_vocab(Merger(words_, options_).run(), options_.normalizer, "vocabulary");
}

}  // namespace sesame
