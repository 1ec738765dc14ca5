// DecoderModel: version 1 of a sequence as output. A BERT encoder reads the source, a transformer decoder of
// our own attends to it and writes the target (Vaswani et al. 2017; Rothe, Narayan & Severyn 2020 for a BERT
// encoder). Parameters: bert.*, head.decoder.*.
#pragma once

#include "models/decoder/transformer_decoder.h"
#include "models/generation/sequence_model.h"

namespace sesame {

struct DecoderModelOptions {
  std::int64_t layers = 3;
  std::int64_t vocab_size = 0;  // of the target
  std::int64_t begin_id = 0;    // first input of the decoder: [CLS] of the target's vocabulary
  std::int64_t end_id = 0;      // [SEP] of the target's vocabulary
};

// What lies under "head" in the files.
struct DecoderHead : Module {
  DecoderHead(const DecoderConfig& config, Features& features);
  TransformerDecoder decoder;
};

class DecoderModel : public SequenceModel {
 public:
  // Width, heads, feed-forward width, positions, activation and dropout of the decoder are the encoder's.
  // Weights are zero until they are loaded or drawn (init_decoder).
  DecoderModel(std::shared_ptr<Bert> trunk, const DecoderModelOptions& options,
               const FeatureOptions& feature_options = {});
  DecoderModel(const BertConfig& config, const DecoderModelOptions& options, bool with_pooler = false)
      : DecoderModel(std::make_shared<Bert>(config, with_pooler), options) {}

  Tensor teacher_forced(const std::vector<SequencePair>& examples) const override;
  bool encodes_apart() const override { return true; }
  TrunkRows encode(const std::vector<TokenSequence>& sources) const override;
  Tensor teacher_forced_from(const TrunkRows& sources,
                             const std::vector<SequencePair>& examples) const override;
  DecodingStart start(const std::vector<TokenSequence>& sources, std::int64_t max_new) const override;
  std::int64_t vocab_size() const override { return options_.vocab_size; }
  std::int64_t end_id() const override { return options_.end_id; }
  // The begin token takes one position.
  std::int64_t max_target(std::int64_t source_length) const override;

  // Where the output looks in the source: attention of the last layer, mean over its heads, [target length +
  // 1, source length]. Row i belongs to output token i, the last row to the end token; rows sum to 1.
  Tensor cross_attention(const SequencePair& example) const;

  DecoderHead head;

 private:
  struct Inputs;
  Inputs inputs(const std::vector<SequencePair>& examples, const TrunkRows& sources) const;
  DecoderModelOptions options_;
};

// Draws initial values for head.decoder.*: embeddings normal(0, config.initializer_range), the layers'
// weights uniform after Glorot & Bengio (2010), biases 0, LayerNorm 1. Each depends on the seed and its name
// only.
void init_decoder(DecoderModel& model, std::uint64_t seed);

// The decoder starts with the encoder's word and position embeddings and their LayerNorm; for a pretrained
// encoder and its own vocabulary. Throws Error when the vocabularies differ in size.
void copy_encoder_embeddings(DecoderModel& model);

}  // namespace sesame
