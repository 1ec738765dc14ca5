// Scores of class decisions, equal to scikit-learn's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/metrics/metrics.h"

namespace sesame {

// gold, predicted: [n] class numbers below `classes`; n = 0 and different lengths are Errors.
double accuracy(std::span<const int64_t> gold, std::span<const int64_t> predicted);
// 2 TP / (2 TP + FP + FN) of one class; 0 where it occurs nowhere.
double f1_of_class(std::span<const int64_t> gold, std::span<const int64_t> predicted, int64_t positive);
// Mean of the classes' F1 over those that occur in gold or predicted.
double f1_macro(std::span<const int64_t> gold, std::span<const int64_t> predicted, int64_t classes);
// Matthews correlation for any number of classes (Gorodkin's R_K); 0 where either side is constant.
double mcc(std::span<const int64_t> gold, std::span<const int64_t> predicted, int64_t classes);
// [gold][predicted] counts.
std::vector<std::vector<int64_t>> confusion_matrix(std::span<const int64_t> gold,
                                                   std::span<const int64_t> predicted, int64_t classes);

// accuracy, f1 (two classes: of the last one, as GLUE does; more: macro), macro_f1, mcc.
Metrics classification_metrics(std::span<const int64_t> gold, std::span<const int64_t> predicted,
                               int64_t classes);

// gold, predicted: [n * classes] zeros and ones. accuracy (all labels of a row right), f1 and micro_f1 (over
// all decisions), macro_f1 (mean over classes, 0 for a class that occurs nowhere).
Metrics multi_label_metrics(std::span<const uint8_t> gold, std::span<const uint8_t> predicted,
                            int64_t classes);

}  // namespace sesame
