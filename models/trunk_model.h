// TrunkModel: a BERT trunk with something on top of it. Several models may share one trunk, each with an
// adapter of its own on it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/bert/bert.h"
#include "models/features.h"
#include "nn/module.h"

namespace sesame {

// Rows of the trunk that a head reads, of several examples end to end.
struct TrunkRows {
  // [R, H] each: all layers, embeddings first, where a mix of them is learned; else the features alone.
  std::vector<Tensor> states;
  std::vector<std::int64_t> counts;  // rows of each example
};

class TrunkModel : public Module {
 private:
  std::shared_ptr<Bert> trunk_;
  bool lists_trunk_ = false;

 public:
  // The first model on a trunk lists it among its parts, as "bert"; further ones only refer to it.
  explicit TrunkModel(std::shared_ptr<Bert> trunk);
  ~TrunkModel() override;

  // The trunk with this model's adapter switched on.
  const Bert& active_trunk() const;
  // One pass through the trunk; a frozen one runs in evaluation mode and records nothing.
  BertOutput run_trunk(const PackedBatch& batch, const BertForward& options) const;
  // The states of all tokens as TrunkRows holds them.
  std::vector<Tensor> trunk_states(const PackedBatch& batch, const Features& features,
                                   AttentionPattern pattern = AttentionPattern::Bidirectional) const;
  // Features [R, features.width()] of such states, of any rows.
  static Tensor read_features(const std::vector<Tensor>& states, const Features& features);

  Bert& bert;
  std::string adapter;  // of this model on the trunk; "": none
  bool frozen = false;  // nothing of the trunk is trained
};

}  // namespace sesame
