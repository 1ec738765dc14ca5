#include "models/generation/sequence_model.h"

#include "autograd/check.h"

namespace sesame {

SequenceModel::SequenceModel(std::shared_ptr<Bert> trunk, const FeatureOptions& feature_options)
    : TrunkModel(std::move(trunk)), features(feature_options, bert.config().num_hidden_layers, bert.width()) {
  SESAME_CHECK(feature_options.kind != FeatureKind::Concat, "--features",
               "{} is not for generate, which reads states of the model's width: expected last or mix",
               features_text(feature_options));
}

}  // namespace sesame
