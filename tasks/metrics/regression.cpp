#include "tasks/metrics/regression.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "autograd/check.h"

namespace sesame {

namespace {

void check_pairs(size_t gold, size_t predicted) {
  SESAME_CHECK(gold == predicted && gold > 0, "metrics",
               "{} gold values, {} predictions; equal numbers above 0 wanted", gold, predicted);
}

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Ranks from 1; equal values share the mean of theirs.
std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = 0.5 * static_cast<double>(begin + end + 1);
  }
  return ranks;
}

bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

}  // namespace

double pearson(std::span<const double> gold, std::span<const double> predicted) {
  check_pairs(gold.size(), predicted.size());
  const double gold_mean = mean(gold), predicted_mean = mean(predicted);
  double both = 0, gold_squares = 0, predicted_squares = 0;
  for (size_t i = 0; i < gold.size(); ++i) {
    const double g = gold[i] - gold_mean, p = predicted[i] - predicted_mean;
    both += g * p;
    gold_squares += g * g;
    predicted_squares += p * p;
  }
  if (gold_squares == 0 || predicted_squares == 0) return std::numeric_limits<double>::quiet_NaN();
  return both / (std::sqrt(gold_squares) * std::sqrt(predicted_squares));
}

double spearman(std::span<const double> gold, std::span<const double> predicted) {
  check_pairs(gold.size(), predicted.size());
  // NaN has no rank, and no place in an order.
  if (!all_finite(gold) || !all_finite(predicted)) return std::numeric_limits<double>::quiet_NaN();
  return pearson(ranks(gold), ranks(predicted));
}

double mean_squared_error(std::span<const double> gold, std::span<const double> predicted) {
  check_pairs(gold.size(), predicted.size());
  double sum = 0;
  for (size_t i = 0; i < gold.size(); ++i) sum += (gold[i] - predicted[i]) * (gold[i] - predicted[i]);
  return sum / static_cast<double>(gold.size());
}

Metrics regression_metrics(std::span<const double> gold, std::span<const double> predicted) {
  Metrics metrics;
  metrics.set("pearson", pearson(gold, predicted));
  metrics.set("spearman", spearman(gold, predicted));
  metrics.set("mse", mean_squared_error(gold, predicted));
  return metrics;
}

}  // namespace sesame
