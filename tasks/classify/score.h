// Scores and the report's details of predicted classes, labels and numbers.
#pragma once

#include "tasks/classify/classify_task.h"

namespace sesame {

// Class number of the highest of `outputs` scores for each row.
std::vector<std::int64_t> best_classes(const std::vector<float>& predictions, std::int64_t outputs);

}  // namespace sesame
