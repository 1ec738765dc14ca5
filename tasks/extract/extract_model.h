// BERT with a start and an end classifier: what is trained, stored and predicted with. Parameters are named
// as they are stored: bert.* (without a pooler), then qa_outputs.* (Hugging Face's BertForQuestionAnswering)
// or head.*.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/trunk_model.h"
#include "tasks/extract/windows.h"
#include "tasks/heads/span_head.h"
#include "tasks/train/feature_cache.h"

namespace sesame {

class ExtractModel : public TrunkModel {
 public:
  ExtractModel(std::shared_ptr<Bert> trunk, bool mlp, const FeatureOptions& features = {});
  ExtractModel(const BertConfig& config, bool mlp, const FeatureOptions& features = {})
      : ExtractModel(std::make_shared<Bert>(config, false), mlp, features) {}

  // Logits [T, 2] of the start and the end.
  Tensor forward(const PackedBatch& batch) const { return read(rows(batch), batch.segments); }

  // The same in two steps: the states of all tokens, which can be kept while the trunk is frozen, and the
  // head.
  TrunkRows rows(const PackedBatch& batch) const;
  Tensor read(const TrunkRows& rows, const Segments& windows) const;

  SpanHead head;
};

// The scores of one window's positions.
struct SpanLogits {
  std::vector<float> start, end;  // [tokens of the window]
};

// Runs the model in evaluation mode over windows, in order, in batches of at most `batch_tokens` (one window
// at least). With a cache the windows are those of its development set from `first_window` on.
std::vector<SpanLogits> span_logits(const ExtractModel& model, std::span<const Window> windows,
                                    std::int64_t batch_tokens, Device device, FeatureCache* cache = nullptr,
                                    std::size_t first_window = 0);

}  // namespace sesame
