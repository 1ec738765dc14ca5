// Greedy search, beam search and sampling over a model that is a table, so that every answer can be worked
// out.
#include <doctest/doctest.h>

#include <map>

#include "models/generation/decode.h"
#include "models/generation/search.h"
#include "tests/generation_models.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Tokens = std::vector<std::int64_t>;
constexpr std::int64_t kWords = 5, kStop = 0;

// The next token depends on the last one alone: logits[last], logits[0] for the first.
class ChainModel : public SequenceModel {
 public:
  explicit ChainModel(std::vector<std::vector<float>> logits)
      : SequenceModel(std::make_shared<Bert>(tiny_config()), {}), logits_(std::move(logits)) {}

  Tensor teacher_forced(const std::vector<SequencePair>&) const override { return {}; }
  DecodingStart start(const std::vector<TokenSequence>& sources, std::int64_t) const override {
    return {std::make_unique<State>(*this), rows(Tokens(sources.size(), 0))};
  }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(logits_[0].size()); }
  std::int64_t end_id() const override { return kStop; }
  std::int64_t max_target(std::int64_t) const override { return 20; }

  double log_probability(std::int64_t last, std::int64_t next) const {
    return last_log_probabilities(rows({last}))[static_cast<std::size_t>(next)];
  }

 private:
  struct State : DecodingState {
    explicit State(const ChainModel& m) : model(m) {}
    Tensor advance(const Tokens&, const Tokens& tokens) override { return model.rows(tokens); }
    const ChainModel& model;
  };
  Tensor rows(const Tokens& last) const {
    std::vector<float> values;
    for (const std::int64_t token : last) {
      const std::vector<float>& row = logits_[static_cast<std::size_t>(token)];
      values.insert(values.end(), row.begin(), row.end());
    }
    return Tensor::from(values, {static_cast<std::int64_t>(last.size()), vocab_size()});
  }
  std::vector<std::vector<float>> logits_;
};

ChainModel& chain(std::uint64_t seed) {
  static std::map<std::uint64_t, std::unique_ptr<ChainModel>> models;
  if (!models[seed]) {
    RandomStream random(seed);
    std::vector<std::vector<float>> logits(kWords, std::vector<float>(kWords));
    for (auto& row : logits) {
      for (float& x : row) x = static_cast<float>(1.5 * random.normal());
    }
    models[seed] = std::make_unique<ChainModel>(logits);
  }
  return *models[seed];
}

std::vector<Hypothesis> run(const SequenceModel& model, const DecodingOptions& options,
                            std::int64_t example = 0) {
  return decode({&model}, {{TokenSequence{{1}, {}, example}}}, options)[0];
}

// Scores of all sequences of up to `longest` tokens; those of full length also without an end.
void enumerate(const ChainModel& model, const Tokens& tokens, double sum, std::size_t longest, double penalty,
               std::multimap<double, Tokens>& found) {
  const std::int64_t last = tokens.empty() ? 0 : tokens.back();
  const double ended = sum + model.log_probability(last, kStop);
  found.emplace(ended / std::pow(static_cast<double>(tokens.size() + 1), penalty), tokens);
  for (std::int64_t next = 1; next < kWords && tokens.size() < longest; ++next) {
    Tokens longer = tokens;
    longer.push_back(next);
    enumerate(model, longer, sum + model.log_probability(last, next), longest, penalty, found);
  }
}

}  // namespace

TEST_CASE("a wide beam finds the best of all sequences") {
  std::size_t compared = 0;
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    for (const double penalty : {0.0, 0.5, 1.0}) {
      std::multimap<double, Tokens> all;
      enumerate(chain(seed), {}, 0, 4, penalty, all);
      const auto found =
          run(chain(seed), {.beam = 400, .length_penalty = penalty, .max_new_tokens = 4, .n_best = 10});
      REQUIRE(found.size() == 10);
      auto wanted = all.rbegin();
      for (const Hypothesis& h : found) {
        if (!h.ended) continue;  // full length without an end: not in the list
        CHECK(h.score == doctest::Approx(wanted->first).epsilon(1e-5));
        CHECK(h.tokens == wanted->second);
        ++wanted, ++compared;
      }
    }
  }
  CHECK(compared >= 50);
}

TEST_CASE("a beam of 1 is greedy, a wider one is no worse without a length penalty") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const ChainModel& model = chain(seed);
    Hypothesis greedy;
    std::int64_t last = 0;
    while (!greedy.ended && greedy.tokens.size() < 10) {
      std::int64_t best = 0;
      for (std::int64_t w = 1; w < kWords; ++w) {
        if (model.log_probability(last, w) > model.log_probability(last, best)) best = w;
      }
      greedy.log_probability += model.log_probability(last, best);
      greedy.ended = best == kStop;
      if (!greedy.ended) greedy.tokens.push_back(best);
      last = best;
    }
    const Hypothesis one = run(model, {.max_new_tokens = 10})[0];
    CHECK(one.tokens == greedy.tokens);
    if (!greedy.ended) continue;
    CHECK(one.ended);
    CHECK(one.log_probability == doctest::Approx(greedy.log_probability).epsilon(1e-5));
    const Hypothesis wide = run(model, {.beam = 20, .length_penalty = 0, .max_new_tokens = 10})[0];
    CHECK(wide.log_probability >= one.log_probability - 1e-5);
  }
}

TEST_CASE("a length penalty prefers longer outputs") {
  double last = -1;
  for (const double penalty : {0.0, 1.0, 3.0}) {
    const auto found = run(chain(2), {.beam = 50, .length_penalty = penalty, .max_new_tokens = 8});
    CHECK(static_cast<double>(found[0].tokens.size()) >= last);
    last = static_cast<double>(found[0].tokens.size());
  }
  CHECK(last > 0);
}

TEST_CASE("no n-gram twice") {
  CHECK(repeating_tokens({1, 2, 3, 1, 2}, 3) == Tokens{3});
  CHECK(repeating_tokens({1, 2, 3, 1, 2}, 2) == Tokens{3});
  CHECK(repeating_tokens({1, 2, 1, 3, 1}, 2) == Tokens{2, 3});
  CHECK(repeating_tokens({1, 2}, 1) == Tokens{1, 2});
  CHECK(repeating_tokens({1, 2}, 3).empty());
  CHECK(repeating_tokens({}, 1).empty());
  CHECK(repeating_tokens({1, 1}, 0).empty());
  // 1 -> 2 -> 1 -> 2 ... without end, were it not for the rule.
  const ChainModel model(
      {{0, 9, 0, 0, 0}, {0, 0, 9, 5, 0}, {0, 9, 0, 0, 0}, {0, 9, 0, 0, 0}, {9, 0, 0, 0, 0}});
  CHECK(run(model, {.max_new_tokens = 4})[0].tokens == Tokens{1, 2, 1, 2});
  CHECK(run(model, {.no_repeat_ngram = 2, .max_new_tokens = 5})[0].tokens == Tokens{1, 2, 1, 3, 1});
  for (const std::int64_t beam : {1, 3}) {
    const auto found = run(model, {.beam = beam, .no_repeat_ngram = 1, .max_new_tokens = 20});
    CHECK(found[0].tokens.size() <= 4);  // four words besides the end
  }
}

TEST_CASE("what does not end is cut and says so") {
  const ChainModel model({{-9, 9, 0}, {-9, 9, 0}, {-9, 9, 0}});
  const auto found = run(model, {.beam = 2, .max_new_tokens = 3, .n_best = 2});
  REQUIRE(found.size() == 2);
  CHECK(found[0].tokens == Tokens{1, 1, 1});
  CHECK(!found[0].ended);
  CHECK(run(model, {})[0].tokens.size() == 20);  // as the model allows
}

TEST_CASE("draws follow the probabilities, top_k, top_p and the temperature") {
  const ChainModel model({{0, 2, 1, 0.5, -1},
                          {9, -9, -9, -9, -9},
                          {9, -9, -9, -9, -9},
                          {9, -9, -9, -9, -9},
                          {9, -9, -9, -9, -9}});
  const auto shares = [&](DecodingOptions options) {
    options.sample = true;
    options.n_best = 4000;
    options.max_new_tokens = 1;
    std::vector<double> share(kWords, 0);
    for (const Hypothesis& h : run(model, options)) {
      share[static_cast<std::size_t>(h.tokens.empty() ? kStop : h.tokens[0])] += 1.0 / 4000;
    }
    return share;
  };
  const auto wanted = [&](double temperature, std::vector<bool> kept) {
    std::vector<double> p(kWords, 0);
    double total = 0;
    for (std::size_t w = 0; w < kWords; ++w) {
      if (kept[w])
        total += p[w] = std::exp(model.log_probability(0, static_cast<std::int64_t>(w)) / temperature);
    }
    for (double& x : p) x /= total;
    return p;
  };
  const auto close = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (std::size_t w = 0; w < kWords; ++w) {
      CHECK(std::abs(a[w] - b[w]) < 0.035);
      CHECK((a[w] == 0) == (b[w] == 0));
    }
  };
  close(shares({}), wanted(1, {true, true, true, true, true}));
  close(shares({.temperature = 0.5}), wanted(0.5, {true, true, true, true, true}));
  close(shares({.top_k = 2}), wanted(1, {false, true, true, false, false}));
  close(shares({.top_p = 0.75}), wanted(1, {false, true, true, false, false}));  // 0.55 + 0.20
  close(shares({.top_k = 3, .top_p = 0.6}), wanted(1, {false, true, false, false, false}));
  close(shares({.temperature = 0.01}), wanted(1, {false, true, false, false, false}));
}

TEST_CASE("draws depend on the seed and the source's number") {
  const auto tokens = [](std::uint64_t seed, std::int64_t example) {
    std::vector<Tokens> list;
    for (const Hypothesis& h :
         run(chain(1), {.max_new_tokens = 10, .sample = true, .seed = seed, .n_best = 5}, example)) {
      list.push_back(h.tokens);
    }
    return list;
  };
  CHECK(tokens(1, 4) == tokens(1, 4));
  CHECK(tokens(1, 4) != tokens(2, 4));
  CHECK(tokens(1, 4) != tokens(1, 5));
}

TEST_CASE("an ensemble averages probabilities") {
  // Each alone would begin with another token than 2.
  const ChainModel a(
      {{0, 3, 2.8F, 0, 0}, {9, 0, 0, 0, 0}, {9, 0, 0, 0, 0}, {9, 0, 0, 0, 0}, {9, 0, 0, 0, 0}});
  const ChainModel b(
      {{0, 0, 2.8F, 3, 0}, {9, 0, 0, 0, 0}, {9, 0, 0, 0, 0}, {9, 0, 0, 0, 0}, {9, 0, 0, 0, 0}});
  const std::vector<TokenSequence> source = {{{1}, {}, 0}};
  const auto found = decode({&a, &b}, {source, source}, {.max_new_tokens = 3})[0];
  const double mean = std::log((std::exp(a.log_probability(0, 2)) + std::exp(b.log_probability(0, 2))) / 2);
  const double end = std::log((std::exp(a.log_probability(2, 0)) + std::exp(b.log_probability(2, 0))) / 2);
  CHECK(run(a, {.max_new_tokens = 3})[0].tokens == Tokens{1});
  CHECK(found[0].tokens == Tokens{2});
  CHECK(found[0].log_probability == doctest::Approx(mean + end).epsilon(1e-5));
  const auto twice = decode({&a, &a}, {source, source}, {.beam = 3, .max_new_tokens = 5, .n_best = 3})[0];
  const auto once = decode({&a}, {source}, {.beam = 3, .max_new_tokens = 5, .n_best = 3})[0];
  REQUIRE(twice.size() == once.size());
  for (std::size_t i = 0; i < once.size(); ++i) {
    CHECK(twice[i].tokens == once[i].tokens);
    CHECK(twice[i].log_probability == doctest::Approx(once[i].log_probability).epsilon(1e-5));
  }
  const ChainModel small({{0, 1}, {1, 0}});
  CHECK(contains(error_of([&] {
                   decode({&a, &small}, {source, source}, {});
                 }),
                 "model 1 writes 2 tokens, model 0 5"));
  CHECK(contains(error_of([&] { decode({&a, &b}, {source}, {}); }), "2 models, sources for 1"));
  CHECK(decode({&a}, {{}}, {}).empty());
}

TEST_CASE("options out of range are refused in one line") {
  const std::pair<DecodingOptions, const char*> wrong[] = {
      {{.beam = 0}, "--beam"},
      {{.beam = -3}, "--beam"},
      {{.length_penalty = NAN}, "--length-penalty"},
      {{.no_repeat_ngram = -1}, "--no-repeat-ngram"},
      {{.max_new_tokens = -1}, "--max-new-tokens"},
      {{.sample = true, .temperature = 0}, "--temperature"},
      {{.sample = true, .temperature = NAN}, "--temperature"},
      {{.sample = true, .top_k = -1}, "--top-k"},
      {{.sample = true, .top_p = 0}, "--top-p"},
      {{.sample = true, .top_p = 1.5}, "--top-p"},
      {{.beam = 2, .sample = true}, "not with --beam 2"},
      {{.top_k = 5}, "--sample"},
      {{.beam = 2, .n_best = 3}, "--n-best"},
      {{.n_best = 0}, "--n-best"},
  };
  for (const auto& [options, part] : wrong) {
    const std::string text = error_of([&] { check(options); });
    CHECK_MESSAGE(contains(text, part), text, " lacks ", std::string(part));
    CHECK(!contains(text, "\n"));
  }
  CHECK(error_of([] { check({}); }).empty());
  CHECK(error_of([] {
          check({.sample = true, .temperature = 0.7, .top_k = 40, .top_p = 0.9, .n_best = 9});
        }).empty());
}
