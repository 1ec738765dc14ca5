// Decoding with caches against recomputation, for both versions.
#include <doctest/doctest.h>

#include "models/generation/cache.h"
#include "models/generation/decode.h"
#include "tests/generation_models.h"
#include "tests/golden_model.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Tokens = std::vector<std::int64_t>;

// Greedy search by running the whole model anew for each token.
Hypothesis greedy_again(const SequenceModel& model, const TokenSequence& source, std::int64_t max_new) {
  const NoGradGuard no_grad;
  Hypothesis result;
  while (true) {
    const std::vector<double> row = last_log_probabilities(model.teacher_forced({{source, result.tokens}}));
    const auto best = std::max_element(row.begin(), row.end()) - row.begin();
    result.ended = best == model.end_id();
    if (result.ended) result.log_probability += row[static_cast<std::size_t>(best)];
    if (result.ended || static_cast<std::int64_t>(result.tokens.size()) == max_new) return result;
    result.log_probability += row[static_cast<std::size_t>(best)];
    result.tokens.push_back(best);
  }
}

std::vector<double> log_probabilities_of(const Tensor& logits, std::int64_t row) {
  return last_log_probabilities(logits.slice(0, row, row + 1));
}

std::vector<std::vector<Hypothesis>> run(const SequenceModel& model,
                                         const std::vector<TokenSequence>& sources,
                                         const DecodingOptions& options) {
  return decode({&model}, {sources}, options);
}

void check_same(const std::vector<Hypothesis>& a, const std::vector<Hypothesis>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].tokens == b[i].tokens);
    CHECK(a[i].ended == b[i].ended);
    CHECK(a[i].log_probability == doctest::Approx(b[i].log_probability).epsilon(1e-5));
    CHECK(a[i].score == doctest::Approx(b[i].score).epsilon(1e-5));
  }
}

}  // namespace

TEST_CASE("a step with caches gives what the whole sequence gives, through forks and reordering") {
  const NoGradGuard no_grad;
  for (const int version : {1, 2}) {
    CAPTURE(version);
    const auto model = random_model(version, 0.3);
    const std::vector<TokenSequence> sources = random_sources();
    std::vector<std::pair<std::size_t, Tokens>> hypotheses;  // source, tokens
    for (std::size_t i = 0; i < sources.size(); ++i) hypotheses.push_back({i, {}});
    DecodingStart start = model->start(sources, 8);
    Tensor logits = start.logits;
    RandomStream random(3);
    double worst = 0;
    for (int step = 0; step < 9; ++step) {
      REQUIRE(logits.size(0) == static_cast<std::int64_t>(hypotheses.size()));
      for (std::size_t i = 0; i < hypotheses.size(); ++i) {
        const Tensor whole = model->teacher_forced({{sources[hypotheses[i].first], hypotheses[i].second}});
        worst = std::max(worst, largest_difference(log_probabilities_of(logits, static_cast<std::int64_t>(i)),
                                                   last_log_probabilities(whole)));
      }
      if (step == 8) break;
      Tokens parents, tokens;
      std::vector<std::pair<std::size_t, Tokens>> next;
      for (std::uint64_t i = 0, n = step < 5 ? 12 : 3; i < n; ++i) {  // some twice, some never, any order
        parents.push_back(static_cast<std::int64_t>(random.below(hypotheses.size())));
        tokens.push_back(4 + static_cast<std::int64_t>(random.below(20)));
        next.push_back(hypotheses[static_cast<std::size_t>(parents.back())]);
        next.back().second.push_back(tokens.back());
      }
      logits = start.state->advance(parents, tokens);
      hypotheses = next;
    }
    MESSAGE("version ", version, ": log-probabilities differ by at most ", worst);
    CHECK(worst < 1e-4);
  }
}

TEST_CASE("greedy search equals recomputation token for token; a batch equals one by one") {
  for (const int version : {1, 2}) {
    for (const std::uint64_t seed : {1, 2, 3}) {
      CAPTURE(version);
      const auto model = random_model(version, 0.25, seed);
      const std::vector<TokenSequence> sources = random_sources(seed);
      const auto together = run(*model, sources, {.max_new_tokens = 12});
      REQUIRE(together.size() == sources.size());
      for (std::size_t i = 0; i < sources.size(); ++i) {
        const Hypothesis wanted = greedy_again(*model, sources[i], 12);
        REQUIRE(together[i].size() == 1);
        CHECK(together[i][0].tokens == wanted.tokens);
        CHECK(together[i][0].ended == wanted.ended);
        CHECK(together[i][0].log_probability == doctest::Approx(wanted.log_probability).epsilon(1e-5));
        check_same(run(*model, {sources[i]}, {.max_new_tokens = 12})[0], together[i]);
      }
    }
  }
}

TEST_CASE("beams and draws of a batch equal those of one by one") {
  for (const int version : {1, 2}) {
    const auto model = random_model(version, 0.15);
    const std::vector<TokenSequence> sources = random_sources();
    for (const DecodingOptions& options :
         {DecodingOptions{.beam = 4, .max_new_tokens = 10, .n_best = 4},
          DecodingOptions{
              .beam = 3, .length_penalty = 0, .no_repeat_ngram = 2, .max_new_tokens = 10, .n_best = 2},
          DecodingOptions{.max_new_tokens = 10, .sample = true, .n_best = 3},
          DecodingOptions{
              .max_new_tokens = 10, .sample = true, .temperature = 0.7, .top_k = 5, .top_p = 0.9}}) {
      const auto together = run(*model, sources, options);
      for (std::size_t i = 0; i < sources.size(); ++i) {
        CHECK(together[i].size() >= 1);
        check_same(run(*model, {sources[i]}, options)[0], together[i]);
      }
    }
  }
}

TEST_CASE("scores of a beam are those of the model") {
  for (const int version : {1, 2}) {
    const auto model = random_model(version, 0.15);
    const std::vector<TokenSequence> sources = random_sources();
    const auto found =
        run(*model, sources, {.beam = 4, .length_penalty = 0.6, .max_new_tokens = 8, .n_best = 4});
    for (std::size_t i = 0; i < sources.size(); ++i) {
      for (std::size_t k = 0; k < found[i].size(); ++k) {
        const Hypothesis& h = found[i][k];
        const Tensor logits = model->teacher_forced({{sources[i], h.tokens}});
        double sum = 0;
        for (std::size_t t = 0; t < h.tokens.size() + (h.ended ? 1 : 0); ++t) {
          const std::int64_t token = t < h.tokens.size() ? h.tokens[t] : kEnd;
          sum += log_probabilities_of(logits, static_cast<std::int64_t>(t))[static_cast<std::size_t>(token)];
        }
        CHECK(h.log_probability == doctest::Approx(sum).epsilon(1e-4));
        const double length = static_cast<double>(h.tokens.size() + (h.ended ? 1 : 0));
        CHECK(h.score == doctest::Approx(sum / std::pow(length, 0.6)).epsilon(1e-4));
        if (k > 0) CHECK(found[i][k - 1].score >= h.score);
      }
    }
  }
}

TEST_CASE("as many tokens as the positions allow") {
  for (const int version : {1, 2}) {
    const auto model = random_model(version, 0.02);
    CHECK(model->max_target(30) == (version == 1 ? 39 : 10));
    RandomStream random(1);
    const auto found = run(*model, {random_source(random, 30, 0), random_source(random, 3, 1)}, {});
    CHECK(static_cast<std::int64_t>(found[0][0].tokens.size()) <= model->max_target(30));
    const auto none = run(*model, {random_source(random, 40, 0)}, {.max_new_tokens = 5});
    CHECK(none[0].size() == 1);  // version 2 has no position left: nothing, or the end token at once
  }
}

TEST_CASE("attention from the output to the source") {
  const auto model = random_model(1, 0.3);
  RandomStream random(5);
  const SequencePair example = {random_source(random, 7, 0), {5, 6, 7}};
  const Tensor weights = dynamic_cast<DecoderModel&>(*model).cross_attention(example);
  REQUIRE(weights.shape() == Shape{4, 7});
  const std::vector<float> values = weights.to_vector<float>();
  for (std::size_t i = 0; i < 4; ++i) {
    float total = 0;
    for (std::size_t j = 0; j < 7; ++j) total += values[7 * i + j];
    CHECK(total == doctest::Approx(1));
  }
}

TEST_CASE("the decoder starts with the encoder's embeddings on request") {
  DecoderModel model(tiny_config(), {.layers = 1, .vocab_size = 24, .begin_id = kBegin, .end_id = kEnd});
  init_bert(model, 0.02, 1);
  init_decoder(model, 2);
  copy_encoder_embeddings(model);
  CHECK(model.head.decoder.embeddings.word_embeddings.weight.to_vector<float>() ==
        model.bert.embeddings.word_embeddings.weight.to_vector<float>());
  CHECK(model.head.decoder.embeddings.word_embeddings.weight.storage() !=
        model.bert.embeddings.word_embeddings.weight.storage());
  DecoderModel other(tiny_config(), {.layers = 1, .vocab_size = 9, .begin_id = kBegin, .end_id = kEnd});
  CHECK(contains(error_of([&] { copy_encoder_embeddings(other); }), "the encoder's 24 words"));
}

TEST_CASE("errors name the example or the hypothesis") {
  RandomStream random(1);
  TokenSequence source = random_source(random, 20, 17);
  for (const int version : {1, 2}) {
    const auto model = random_model(version, 0.1);
    const std::string text = error_of([&] { model->teacher_forced({{source, Tokens(41, 5)}}); });
    CHECK(contains(text, "example 17"));
    DecodingStart start = model->start({source}, 2);
    CHECK(contains(error_of([&] { start.state->advance({1}, {5}); }), "parent 1 of 1"));
    CHECK(contains(error_of([&] { start.state->advance({0}, {5, 6}); }), "1 parents for 2 tokens"));
    CHECK(contains(error_of([&] { start.state->advance({0}, {99}); }), "99"));
  }
  const auto refused = [](DecoderModelOptions options) {
    return error_of([&] { DecoderModel(tiny_config(), options); });
  };
  CHECK(contains(refused({.layers = 0, .vocab_size = 9, .begin_id = 2, .end_id = 3}), "0 layers"));
  CHECK(contains(refused({.layers = 1, .vocab_size = 3, .begin_id = 2, .end_id = 3}), "token 3"));
  HypothesisCache cache(1, 4, 2, {1}, {});
  cache.advance({0});
  CHECK(contains(error_of([&] { cache.advance({0}); }), "no room"));
}
