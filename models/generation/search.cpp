#include "models/generation/search.h"

#include <algorithm>
#include <cmath>

#include "autograd/random.h"

namespace sesame {

namespace {

struct Weighted {
  double weight;
  std::size_t index;
};

// Leaves the fewest that weigh `share` together, heaviest first; returns their weight. Sorts no more of a
// vocabulary than it needs.
double keep_share(std::vector<Weighted>& list, double share) {
  const auto heavier = [](const Weighted& a, const Weighted& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.index < b.index;
  };
  double held = 0;
  std::size_t count = 0, sorted = 0;
  while (count < list.size() && (held < share || count == 0)) {
    if (count == sorted) {
      sorted = std::min(list.size(), 16 + 8 * sorted);
      const auto from = list.begin() + static_cast<std::ptrdiff_t>(count),
                 to = list.begin() + static_cast<std::ptrdiff_t>(sorted);
      std::nth_element(from, to, list.end(), heavier);
      std::sort(from, to, heavier);
    }
    held += list[count++].weight;
  }
  list.resize(count);
  return held;
}

}  // namespace

std::vector<std::int64_t> repeating_tokens(const std::vector<std::int64_t>& tokens, std::int64_t n) {
  std::vector<std::int64_t> banned;
  const auto length = static_cast<std::int64_t>(tokens.size());
  if (n == 0 || length < n) return banned;
  const auto past = tokens.end() - (n - 1);  // the n - 1 tokens that the next one would complete
  for (auto begin = tokens.begin(); begin + n <= tokens.end(); ++begin) {
    if (std::equal(past, tokens.end(), begin)) banned.push_back(begin[n - 1]);
  }
  return banned;
}

SourceSearch::SourceSearch(const DecodingOptions& options, std::int64_t row, std::int64_t example,
                           std::int64_t max_new, std::int64_t end_id)
    : options_(options), example_(example), end_id_(end_id), max_new_(static_cast<std::size_t>(max_new)) {
  const std::size_t count = options.sample ? static_cast<std::size_t>(options.n_best) : 1;
  for (std::size_t i = 0; i < count; ++i) {
    running_.push_back({.row = row});
    sample_.push_back(i);
  }
}

double SourceSearch::score(double log_probability, std::size_t length) const {
  return log_probability /
         std::pow(static_cast<double>(std::max<std::size_t>(length, 1)), options_.length_penalty);
}

// Ends a hypothesis, by the end token or because it is as long as it may be. Of a beam the best are kept.
void SourceSearch::finish(const Running& hypothesis, const Candidate* end) {
  const double log_probability = hypothesis.log_probability + (end != nullptr ? end->log_probability : 0);
  const std::size_t length = hypothesis.tokens.size() + (end != nullptr ? 1 : 0);
  finished_.push_back({hypothesis.tokens, log_probability, score(log_probability, length), end != nullptr});
  std::stable_sort(finished_.begin(), finished_.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  const auto kept = static_cast<std::size_t>(options_.sample ? options_.n_best : options_.beam);
  if (finished_.size() > kept) finished_.resize(kept);
}

void SourceSearch::expand(const std::vector<std::vector<Candidate>>& candidates) {
  options_.sample ? expand_samples(candidates) : expand_beam(candidates);
  ++step_;
}

void SourceSearch::expand_beam(const std::vector<std::vector<Candidate>>& candidates) {
  struct Option {
    std::size_t parent;
    Candidate next;
    double sum;
  };
  std::vector<Option> options;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    for (const Candidate& next : candidates[i]) {
      options.push_back({i, next, running_[i].log_probability + next.log_probability});
    }
  }
  std::stable_sort(options.begin(), options.end(),
                   [](const Option& a, const Option& b) { return a.sum > b.sum; });
  const auto beam = static_cast<std::size_t>(options_.beam);
  if (options.size() > 2 * beam) options.resize(2 * beam);

  const bool full = step_ >= max_new_;
  std::vector<bool> ended(running_.size(), false);
  std::vector<Running> next;
  for (std::size_t rank = 0; rank < options.size(); ++rank) {
    const Option& option = options[rank];
    const Running& parent = running_[option.parent];
    if (option.next.token == end_id_) {
      if (rank >= beam) continue;
      ended[option.parent] = true;
      finish(parent, &option.next);
    } else if (!full && next.size() < beam) {
      next.push_back({parent.tokens, option.sum, parent.row});
      next.back().tokens.push_back(option.next.token);
    }
  }
  if (next.empty()) {  // at full length, or everything else would repeat
    for (std::size_t i = 0; i < running_.size(); ++i) {
      if (!ended[i]) finish(running_[i], nullptr);
    }
  }
  running_ = std::move(next);
  if (running_.empty() || finished_.size() < beam) return;
  // The best that goes on, were it to end with its next token for nothing, is no better than the worst kept.
  const double hope = score(running_[0].log_probability, running_[0].tokens.size() + 1);
  if (beam == 1 || finished_.back().score >= hope) running_.clear();
}

Candidate SourceSearch::draw(const std::vector<Candidate>& candidates, std::size_t sample) const {
  double high = candidates[0].log_probability, total = 0;
  for (const Candidate& c : candidates) high = std::max(high, c.log_probability);
  std::vector<Weighted> list;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    list.push_back({std::exp((candidates[i].log_probability - high) / options_.temperature), i});
    total += list.back().weight;
  }
  if (options_.top_p < 1) total = keep_share(list, options_.top_p * total);
  std::uint64_t key = options_.seed;
  for (const std::uint64_t value : {static_cast<std::uint64_t>(example_), static_cast<std::uint64_t>(sample),
                                    static_cast<std::uint64_t>(step_)}) {
    key = mix_key(key, value);
  }
  double left = RandomStream(key).uniform() * total;
  for (const Weighted& w : list) {
    if ((left -= w.weight) < 0) return candidates[w.index];
  }
  return candidates[list.back().index];
}

void SourceSearch::expand_samples(const std::vector<std::vector<Candidate>>& candidates) {
  std::vector<Running> next;
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Running hypothesis = running_[i];
    if (candidates[i].empty()) {
      finish(hypothesis, nullptr);
      continue;
    }
    const Candidate drawn = draw(candidates[i], sample_[i]);
    if (drawn.token == end_id_) {
      finish(hypothesis, &drawn);
    } else if (step_ >= max_new_) {
      finish(hypothesis, nullptr);
    } else {
      hypothesis.tokens.push_back(drawn.token);
      hypothesis.log_probability += drawn.log_probability;
      next.push_back(std::move(hypothesis));
      numbers.push_back(sample_[i]);
    }
  }
  running_ = std::move(next);
  sample_ = std::move(numbers);
}

std::vector<Hypothesis> SourceSearch::results() const {
  std::vector<Hypothesis> best = finished_;
  const auto wanted = static_cast<std::size_t>(options_.n_best);
  if (best.size() > wanted) best.resize(wanted);
  return best;
}

}  // namespace sesame
