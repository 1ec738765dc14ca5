// SelfModel: version 2 of a sequence as output. The pretrained encoder itself writes: the target follows the
// source in its input (positions go on, type 1), source tokens see the whole source, target tokens the source
// and their own past (the prefix pattern; Dong et al. 2019, "Unified language model pre-training",
// section 2.3). The state of the last token so far is read by the masked-language-model head as the next
// token; the last source token predicts the first, and the last target token the end token [SEP]. Parameters:
// bert.*, cls.predictions.* as in Hugging Face's BertForMaskedLM.
#pragma once

#include "models/bert/mlm_head.h"
#include "models/generation/sequence_model.h"

namespace sesame {

class SelfModel : public SequenceModel {
 public:
  // The target's vocabulary is the encoder's. Weights are zero until they are loaded or drawn: load_weights
  // with "cls" declared fresh, then init_fresh; or init_bert_model for all.
  SelfModel(std::shared_ptr<Bert> trunk, std::int64_t end_id, const FeatureOptions& feature_options = {});
  SelfModel(const BertConfig& config, std::int64_t end_id, bool with_pooler = false)
      : SelfModel(std::make_shared<Bert>(config, with_pooler), end_id) {}

  Tensor teacher_forced(const std::vector<SequencePair>& examples) const override;
  DecodingStart start(const std::vector<TokenSequence>& sources, std::int64_t max_new) const override;
  std::int64_t vocab_size() const override { return bert.config().vocab_size; }
  std::int64_t end_id() const override { return end_id_; }
  // Source and target share the positions.
  std::int64_t max_target(std::int64_t source_length) const override;

  // Logits [rows, V] of states [rows, H].
  Tensor predict(const Tensor& states) const;
  // Type id of target tokens: 1, or 0 where the model knows one type.
  std::int64_t target_type() const { return bert.config().type_vocab_size > 1 ? 1 : 0; }

  BertMlmModule cls;

 private:
  // What lies under "head" in the files.
  struct Head : Module {
    void add(Features& features) { register_module("features", features); }
  };
  Head head_;
  std::int64_t end_id_;
};

}  // namespace sesame
