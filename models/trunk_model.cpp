#include "models/trunk_model.h"

#include <optional>

#include "models/adapters/adapters.h"

namespace sesame {

TrunkModel::TrunkModel(std::shared_ptr<Bert> trunk) : trunk_(std::move(trunk)), bert(*trunk_) {
  lists_trunk_ = bert.path().empty();
  if (lists_trunk_) register_module("bert", bert);
}

TrunkModel::~TrunkModel() {
  if (lists_trunk_) unregister_module("bert");
}

const Bert& TrunkModel::active_trunk() const {
  if (active_adapter(bert) != adapter) set_active_adapter(bert, adapter);
  return bert;
}

BertOutput TrunkModel::run_trunk(const PackedBatch& batch, const BertForward& options) const {
  std::optional<NoGradGuard> no_grad;
  if (frozen) {
    no_grad.emplace();
    bert.eval();
  }
  return active_trunk().forward(batch, options);
}

std::vector<Tensor> TrunkModel::trunk_states(const PackedBatch& batch, const Features& features,
                                             AttentionPattern pattern) const {
  BertOutput output =
      run_trunk(batch, {.all_hidden = features.needs_hidden(), .pooled = false, .pattern = pattern});
  if (features.options().kind == FeatureKind::Mix) return std::move(output.hidden);
  return {features.forward(output)};
}

Tensor TrunkModel::read_features(const std::vector<Tensor>& states, const Features& features) {
  return features.options().kind == FeatureKind::Mix ? features.forward(states) : states.front();
}

}  // namespace sesame
