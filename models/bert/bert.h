// Bert: embeddings, encoder and pooler (Devlin et al. 2019) under the parameter names of Hugging Face's
// BertModel.
#pragma once

#include <memory>
#include <vector>

#include "models/bert/config.h"
#include "models/bert/embeddings.h"
#include "models/bert/encoder.h"
#include "models/bert/packed_batch.h"
#include "models/bert/pooler.h"
#include "nn/module.h"

namespace sesame {

struct BertForward {
  bool all_hidden = false;  // keep the embeddings and every layer's output
  bool pooled = true;       // run the pooler where there is one
  // Only the first token of each sequence ([CLS]) will be read: `last` is [n, H] then, and the last layer
  // computes nothing else. Not together with all_hidden or another pattern.
  bool only_first = false;
  AttentionPattern pattern = AttentionPattern::Bidirectional;
};

struct BertOutput {
  std::vector<Tensor>
      hidden;     // [T, H] each: embeddings, layer 0, 1, ..; only the last one unless all are asked for
  Tensor last;    // [T, H], or [n, H] with only_first
  Tensor pooled;  // [n, H]; undefined without a pooler or when not asked for
};

class BertAdapters;
class RecordedBert;

class Bert : public Module {
 public:
  // Weights are zero (LayerNorm: one) until they are loaded or initialised; see models/pretrained.h.
  explicit Bert(const BertConfig& config, bool with_pooler = true);
  ~Bert() override;

  // Throws Error for ids, positions or types outside of the tables and for a batch whose parts do not match.
  BertOutput forward(const PackedBatch& batch, const BertForward& options = {}) const;
  // What forward() gives without its checks, the pooler and recording: the states of the embeddings and all
  // layers
  // ([T, H] each) where all_hidden is set, else of the last layer alone.
  std::vector<Tensor> states(const PackedBatch& batch, const BertForward& options) const;

  const BertConfig& config() const { return config_; }
  std::int64_t width() const { return config_.hidden_size; }
  bool has_pooler() const { return pooler != nullptr; }

  BertEmbeddings embeddings;
  BertEncoder encoder;
  std::unique_ptr<BertPooler> pooler;      // null when the model has none
  std::unique_ptr<BertAdapters> adapters;  // models/adapters/adapters.h; null while there are none

 private:
  BertConfig config_;
  mutable std::unique_ptr<RecordedBert> recorded_;  // of small batches (models/bert/recorded.h)
};

}  // namespace sesame
