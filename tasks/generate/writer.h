// A sequence model with all that stands between it and text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/generation/decode.h"
#include "models/generation/sequence_model.h"
#include "tasks/data/example.h"
#include "tasks/generate/surface.h"
#include "tasks/generate/task_file.h"

namespace sesame {

// Model of either version on a trunk; its own weights are zero.
std::unique_ptr<SequenceModel> make_sequence_model(std::shared_ptr<Bert> trunk, const GenerateTaskFile& file,
                                                   const Tokenizer& target);

struct Writer {
  const SequenceModel* model = nullptr;
  Tokenizer source, target;  // the same where the target has no vocabulary of its own
  Surface surface;
  GenerateTaskFile file;

  // Texts as the encoder reads them; `example` keys random draws.
  TokenSequence read(const std::vector<std::string>& texts, std::int64_t example) const;
  // Tokens of a target, cut to what the run was set up for, without the end token.
  std::vector<std::int64_t> target_ids(const std::string& text) const;
};

// One output.
struct WrittenText {
  std::string text;
  double score = 0;  // log-probability / length^penalty
  std::vector<std::int64_t> tokens;
};

// For each example its outputs, the best first. With several writers (an ensemble; their target vocabularies
// must be equal) probabilities are averaged at each token. Inputs are decoded in batches of about
// `batch_tokens` source tokens, inputs of like length together; `first` is the number of examples[0] in the
// whole input (sampling).
std::vector<std::vector<WrittenText>> write_texts(const std::vector<const Writer*>& writers,
                                                  const std::vector<Example>& examples,
                                                  DecodingOptions options, std::int64_t batch_tokens,
                                                  std::int64_t first = 0);

}  // namespace sesame
