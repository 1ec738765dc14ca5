// Scores and the report's details of predicted classes, labels and numbers.
#pragma once

#include "tasks/classify/classify_task.h"

namespace sesame {

// Class number of the highest of `outputs` scores for each row.
std::vector<std::int64_t> best_classes(const std::vector<float>& predictions, std::int64_t outputs);

// Of several labels, whether each is given: its probability is above one half.
std::vector<std::uint8_t> given_labels(std::span<const float> scores);
std::vector<std::string> given_names(std::span<const float> scores, const LabelMap& labels);

}  // namespace sesame
