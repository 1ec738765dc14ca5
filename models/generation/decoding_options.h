// How a sequence is chosen from next-token scores.
#pragma once

#include <cstdint>

namespace sesame {

struct DecodingOptions {
  std::int64_t beam = 1;             // hypotheses kept; 1: greedy
  double length_penalty = 1;         // a hypothesis scores log p / length^penalty; 0: log p itself
  std::int64_t no_repeat_ngram = 0;  // no n-gram of this many tokens occurs twice; 0: off
  std::int64_t max_new_tokens = 0;   // the end token not counted; 0: as the run was trained for
  bool sample = false;               // draw instead of taking the best; not with a beam
  double temperature = 1;
  std::int64_t top_k = 0;  // draw from the k likeliest; 0: all
  double top_p = 1;        // draw from the fewest that hold this much of the probability
  std::uint64_t seed = 42;
  std::int64_t n_best = 1;  // hypotheses given back per input, at most `beam`, or so many samples

  bool operator==(const DecodingOptions&) const = default;
};

// Throws Error naming the option that is out of range or contradicts another.
void check(const DecodingOptions& options);

}  // namespace sesame
