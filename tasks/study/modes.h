// What of a model is trained: the modes that are compared.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/study/runs.h"

namespace sesame {

struct TuningMode {
  std::string name, label;  // "adapter 64", and what stands beside its point: "64"
  std::string family;       // modes of one family share a colour; lines join the first two families
  RunOptions options;
  bool frozen = false;  // the trunk runs once over the data: more passes cost little
};

inline constexpr const char* kAdapters = "adapters, by size";
inline constexpr const char* kTopLayers = "the top layers, to all";
inline constexpr const char* kFrozenTrunk = "frozen, only the head";
inline constexpr const char* kSmallParts = "biases or low-rank updates";
inline constexpr const char* kPlaces = "adapter 64 without LayerNorms, by place";

// Factor on the learning rate of the weights of a mix: Adam moves a weight by about the learning rate, and
// softmax weights must move by ones to show anything.
inline constexpr double kMixRate = 20;

// Passes over the data of a mode that keeps the features, where the others make one.
inline constexpr std::int64_t kFrozenPasses = 10;

// For a model of so many layers: options of tools/train that begin as `base`, whose learning rate is that of
// full training; modes that train little take ten times as much.
std::vector<TuningMode> tuning_modes(const RunOptions& base, std::int64_t layers);

// The one of them that reads the frozen trunk as it does best without a mix: a text as the mean of its
// tokens.
TuningMode frozen_mode(const RunOptions& base);

// One training of a mode on the first steps * batch_size examples of a set.
StudyRun mode_run(const StudySet& set, const TuningMode& mode, std::int64_t steps, std::uint64_t seed);

}  // namespace sesame
