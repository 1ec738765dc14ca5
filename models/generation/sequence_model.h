// What training and decoding need of a model that writes a sequence. Two models implement it: encoder,
// attention and decoder (version 1, models/generation/decoder_model.h), and the pretrained encoder itself
// with its output appended to its input (version 2, models/generation/self_model.h).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "models/bert/packed_batch.h"
#include "models/trunk_model.h"

namespace sesame {

// One example of training: the source as the encoder reads it ([CLS] ... [SEP]) and the target's tokens,
// without the end token.
struct SequencePair {
  TokenSequence source;
  std::vector<std::int64_t> target;
};

// Hypotheses that are being written, of one or several sources, with their key/value caches. Runs without
// recording gradients.
class DecodingState {
 public:
  virtual ~DecodingState() = default;
  // Hypothesis i of the next step continues hypothesis parents[i] of this one by tokens[i]; parents may
  // repeat, come in any order, and leave some out. Returns the logits of the token after, [parents.size(),
  // V].
  virtual Tensor advance(const std::vector<std::int64_t>& parents,
                         const std::vector<std::int64_t>& tokens) = 0;
};

struct DecodingStart {
  std::unique_ptr<DecodingState> state;
  Tensor logits;  // [sources, V]: the first token of each
};

class SequenceModel : public TrunkModel {
 public:
  // What is read of the trunk: the last layer, or a learned mix of all (stored as head.features.*). Throws
  // Error for a concatenation: what comes after has the trunk's width.
  SequenceModel(std::shared_ptr<Bert> trunk, const FeatureOptions& feature_options);

  // Teacher forcing: logits of every target token and of the end token after the last one, the examples' rows
  // end to end: [sum(target length + 1), V]. Throws Error naming an example that is too long for the
  // positions.
  virtual Tensor teacher_forced(const std::vector<SequencePair>& examples) const = 0;
  // Encodes the sources once; room is made for max_new tokens each.
  virtual DecodingStart start(const std::vector<TokenSequence>& sources, std::int64_t max_new) const = 0;

  virtual std::int64_t vocab_size() const = 0;  // V, of the target
  virtual std::int64_t end_id() const = 0;      // the token that ends a sequence
  // Longest target for a source of so many tokens.
  virtual std::int64_t max_target(std::int64_t source_length) const = 0;
  // Whether the rows of the sources do not depend on the targets, so that those of a frozen trunk can be
  // kept: encode() gives them, in the order of the sources, and teacher_forced_from() takes them.
  virtual bool encodes_apart() const { return false; }
  virtual TrunkRows encode(const std::vector<TokenSequence>& /*sources*/) const { return {}; }
  virtual Tensor teacher_forced_from(const TrunkRows& /*sources*/,
                                     const std::vector<SequencePair>& /*examples*/) const {
    return {};
  }

  Features features;
};

}  // namespace sesame
