#include "models/generation/decoding_options.h"

#include <cmath>

#include "autograd/check.h"

namespace sesame {

void check(const DecodingOptions& o) {
  SESAME_CHECK(o.beam >= 1 && o.beam <= 1000, "--beam", "is {}: expected 1 (greedy) to 1000", o.beam);
  SESAME_CHECK(std::isfinite(o.length_penalty), "--length-penalty", "is {}: expected a number",
               o.length_penalty);
  SESAME_CHECK(o.no_repeat_ngram >= 0, "--no-repeat-ngram", "is {}: expected a length, or 0 for off",
               o.no_repeat_ngram);
  SESAME_CHECK(o.max_new_tokens >= 0, "--max-new-tokens",
               "is {}: expected at least 1, or 0 for the run's own", o.max_new_tokens);
  SESAME_CHECK(o.temperature > 0 && std::isfinite(o.temperature), "--temperature",
               "is {}: expected a number above 0", o.temperature);
  SESAME_CHECK(o.top_k >= 0, "--top-k", "is {}: expected at least 1, or 0 for all", o.top_k);
  SESAME_CHECK(o.top_p > 0 && o.top_p <= 1, "--top-p", "is {}: expected a share above 0 and up to 1",
               o.top_p);
  SESAME_CHECK(o.n_best >= 1, "--n-best", "is {}: expected 1 or more", o.n_best);
  SESAME_CHECK(!o.sample || o.beam == 1, "--sample", "draws one token at a time: not with --beam {}", o.beam);
  SESAME_CHECK(o.sample || (o.temperature == 1 && o.top_k == 0 && o.top_p == 1), "--sample",
               "is off: --temperature, --top-k and --top-p change nothing without it");
  SESAME_CHECK(o.sample || o.n_best <= o.beam, "--n-best", "is {}: a beam of {} finds no more than {}",
               o.n_best, o.beam, o.beam);
}

}  // namespace sesame
