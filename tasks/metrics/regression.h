// Scores of predicted numbers, equal to scipy's.
#pragma once

#include <span>

#include "tasks/metrics/metrics.h"

namespace sesame {

// [n] each, n >= 1 and equal, else Error. NaN where a side is constant or n = 1.
double pearson(std::span<const double> gold, std::span<const double> predicted);
// Pearson of the ranks; ties share their mean rank.
double spearman(std::span<const double> gold, std::span<const double> predicted);
double mean_squared_error(std::span<const double> gold, std::span<const double> predicted);

// pearson, spearman, mse.
Metrics regression_metrics(std::span<const double> gold, std::span<const double> predicted);

}  // namespace sesame
