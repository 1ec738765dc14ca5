// Greedy search, beam search and sampling over any SequenceModel.
#pragma once

#include <cstdint>
#include <vector>

#include "models/generation/decoding_options.h"
#include "models/generation/sequence_model.h"

namespace sesame {

struct Hypothesis {
  std::vector<std::int64_t> tokens;  // without the end token
  double log_probability = 0;        // sum over the tokens and the end token
  double score = 0;                  // log_probability / length^length_penalty; orders the n best
  bool ended = false;                // by the end token; false: by max_new_tokens
};

// For each source its hypotheses, the best first (options.n_best of them, fewer where the search found
// fewer). Sources of different lengths go in one batch; each gets what it would get alone. With several
// `models` (an ensemble with one target vocabulary) the probabilities of the next token are averaged at each
// step.
std::vector<std::vector<Hypothesis>> decode(const std::vector<const SequenceModel*>& models,
                                            const std::vector<std::vector<TokenSequence>>& sources,
                                            const DecodingOptions& options);

}  // namespace sesame
