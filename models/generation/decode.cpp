#include "models/generation/decode.h"

#include <algorithm>
#include <cmath>

#include "autograd/check.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "models/generation/search.h"

namespace sesame {
namespace {

void check_models(const std::vector<const SequenceModel*>& models,
                  const std::vector<std::vector<TokenSequence>>& sources) {
  SESAME_CHECK(!models.empty() && models.size() == sources.size(), "decode", "{} models, sources for {}",
               models.size(), sources.size());
  for (std::size_t m = 1; m < models.size(); ++m) {
    SESAME_CHECK(
        models[m]->vocab_size() == models[0]->vocab_size() && models[m]->end_id() == models[0]->end_id(),
        "decode", "model {} writes {} tokens, model 0 {}: an ensemble needs one target vocabulary", m,
        models[m]->vocab_size(), models[0]->vocab_size());
    SESAME_CHECK(sources[m].size() == sources[0].size(), "decode", "model {} got {} sources, model 0 {}", m,
                 sources[m].size(), sources[0].size());
  }
}

// How many tokens source i may get.
std::int64_t room_for(const std::vector<const SequenceModel*>& models,
                      const std::vector<std::vector<TokenSequence>>& sources, std::size_t i,
                      std::int64_t wanted) {
  std::int64_t room = wanted > 0 ? wanted : models[0]->max_target(0);
  for (std::size_t m = 0; m < models.size(); ++m) {
    room = std::min(room, models[m]->max_target(static_cast<std::int64_t>(sources[m][i].ids.size())));
  }
  return std::max<std::int64_t>(room, 0);
}

// The mean of the models' probabilities as logarithms, [rows, V].
Tensor log_probabilities(const std::vector<Tensor>& logits) {
  if (logits.size() == 1) return log_softmax(logits[0]);
  Tensor total = softmax(logits[0]);
  for (std::size_t m = 1; m < logits.size(); ++m) total = total + softmax(logits[m]);
  return log(total * (1 / static_cast<double>(logits.size())));
}

// The likeliest next tokens of hypotheses, found for all rows at once.
class NextTokens {
 public:
  NextTokens(const Tensor& log_probabilities, const DecodingOptions& options, std::int64_t most_banned)
      : no_repeat_ngram_(options.no_repeat_ngram) {
    const std::int64_t vocabulary = log_probabilities.size(1);
    wanted_ = !options.sample ? 2 * options.beam : options.top_k > 0 ? options.top_k : vocabulary;
    wanted_ = std::min(wanted_, vocabulary);
    count_ = std::min(wanted_ + most_banned, vocabulary);
    if (count_ < vocabulary || !options.sample) {
      const TopK top = top_k(log_probabilities, count_);
      values_ = top.values.to(DType::Float64).to_vector<double>();
      tokens_ = top.index.to_vector<std::int64_t>();
    } else {
      values_ = log_probabilities.to(DType::Float64).to_vector<double>();
    }
  }

  // Likeliest first; those of draws from the whole vocabulary in the order of their ids.
  std::vector<Candidate> of(const Running& hypothesis) const {
    const std::vector<std::int64_t> banned = repeating_tokens(hypothesis.tokens, no_repeat_ngram_);
    std::vector<Candidate> list;
    const auto begin = static_cast<std::size_t>(hypothesis.row * count_);
    for (std::size_t k = 0; k < static_cast<std::size_t>(count_); ++k) {
      const std::int64_t token = tokens_.empty() ? static_cast<std::int64_t>(k) : tokens_[begin + k];
      const double value = values_[begin + k];
      if (!std::isfinite(value) || std::find(banned.begin(), banned.end(), token) != banned.end()) continue;
      list.push_back({token, value});
      if (static_cast<std::int64_t>(list.size()) == wanted_) break;
    }
    return list;
  }

 private:
  std::int64_t no_repeat_ngram_, wanted_ = 0, count_ = 0;
  std::vector<double> values_;        // [rows, count]
  std::vector<std::int64_t> tokens_;  // [rows, count]; empty: all tokens by their ids
};

std::int64_t most_banned(const std::vector<SourceSearch>& searches, std::int64_t ngram) {
  std::size_t most = 0;
  for (const SourceSearch& search : searches) {
    for (const Running& hypothesis : search.running()) {
      most = std::max(most, repeating_tokens(hypothesis.tokens, ngram).size());
    }
  }
  return static_cast<std::int64_t>(most);
}

}  // namespace

std::vector<std::vector<Hypothesis>> decode(const std::vector<const SequenceModel*>& models,
                                            const std::vector<std::vector<TokenSequence>>& sources,
                                            const DecodingOptions& options) {
  const NoGradGuard no_grad;
  check(options);
  check_models(models, sources);
  std::vector<SourceSearch> searches;
  std::int64_t longest = 0;
  for (std::size_t i = 0; i < sources[0].size(); ++i) {
    const std::int64_t room = room_for(models, sources, i, options.max_new_tokens);
    longest = std::max(longest, room);
    searches.emplace_back(options, static_cast<std::int64_t>(i), sources[0][i].example, room,
                          models[0]->end_id());
  }
  if (searches.empty()) return {};

  std::vector<std::unique_ptr<DecodingState>> states;
  std::vector<Tensor> logits;
  for (std::size_t m = 0; m < models.size(); ++m) {
    DecodingStart start = models[m]->start(sources[m], longest);
    states.push_back(std::move(start.state));
    logits.push_back(start.logits);
  }
  while (true) {
    const NextTokens next(log_probabilities(logits), options, most_banned(searches, options.no_repeat_ngram));
    std::vector<std::int64_t> parents, tokens;
    for (SourceSearch& search : searches) {
      if (search.done()) continue;
      std::vector<std::vector<Candidate>> candidates;
      for (const Running& hypothesis : search.running()) candidates.push_back(next.of(hypothesis));
      search.expand(candidates);
      for (std::size_t i = 0; i < search.running().size(); ++i) {
        parents.push_back(search.running()[i].row);
        tokens.push_back(search.running()[i].tokens.back());
        search.set_row(i, static_cast<std::int64_t>(parents.size()) - 1);
      }
    }
    if (parents.empty()) break;
    for (std::size_t m = 0; m < models.size(); ++m) logits[m] = states[m]->advance(parents, tokens);
  }
  std::vector<std::vector<Hypothesis>> results;
  for (const SourceSearch& search : searches) results.push_back(search.results());
  return results;
}

}  // namespace sesame
