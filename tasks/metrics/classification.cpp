#include "tasks/metrics/classification.h"

#include <cmath>

#include "autograd/check.h"

namespace sesame {

namespace {

void check_sizes(size_t gold, size_t predicted) {
  SESAME_CHECK(gold == predicted && gold > 0, "metrics",
               "{} gold labels, {} predictions; equal numbers above 0 wanted", gold, predicted);
}

// 0 where the class occurs nowhere, as scikit-learn's zero_division=0.
double f1_of_counts(int64_t hits, int64_t gold, int64_t predicted) {
  return gold + predicted == 0 ? 0.0
                               : 2.0 * static_cast<double>(hits) / static_cast<double>(gold + predicted);
}

struct Margins {
  std::vector<int64_t> hits, gold, predicted;  // [classes]
};

Margins margins(const std::vector<std::vector<int64_t>>& confusion) {
  const size_t classes = confusion.size();
  Margins m{std::vector<int64_t>(classes), std::vector<int64_t>(classes), std::vector<int64_t>(classes)};
  for (size_t g = 0; g < classes; ++g) {
    m.hits[g] = confusion[g][g];
    for (size_t p = 0; p < classes; ++p) {
      m.gold[g] += confusion[g][p];
      m.predicted[p] += confusion[g][p];
    }
  }
  return m;
}

}  // namespace

double accuracy(std::span<const int64_t> gold, std::span<const int64_t> predicted) {
  check_sizes(gold.size(), predicted.size());
  size_t right = 0;
  for (size_t i = 0; i < gold.size(); ++i) right += gold[i] == predicted[i];
  return static_cast<double>(right) / static_cast<double>(gold.size());
}

double f1_of_class(std::span<const int64_t> gold, std::span<const int64_t> predicted, int64_t positive) {
  check_sizes(gold.size(), predicted.size());
  int64_t hits = 0, golds = 0, predictions = 0;
  for (size_t i = 0; i < gold.size(); ++i) {
    hits += gold[i] == positive && predicted[i] == positive;
    golds += gold[i] == positive;
    predictions += predicted[i] == positive;
  }
  return f1_of_counts(hits, golds, predictions);
}

std::vector<std::vector<int64_t>> confusion_matrix(std::span<const int64_t> gold,
                                                   std::span<const int64_t> predicted, int64_t classes) {
  check_sizes(gold.size(), predicted.size());
  const auto n = static_cast<size_t>(classes);
  std::vector<std::vector<int64_t>> counts(n, std::vector<int64_t>(n));
  for (size_t i = 0; i < gold.size(); ++i) {
    SESAME_CHECK(gold[i] >= 0 && gold[i] < classes && predicted[i] >= 0 && predicted[i] < classes, "metrics",
                 "class numbers {} and {} at example {}, there are {} classes", gold[i], predicted[i], i,
                 classes);
    ++counts[static_cast<size_t>(gold[i])][static_cast<size_t>(predicted[i])];
  }
  return counts;
}

double f1_macro(std::span<const int64_t> gold, std::span<const int64_t> predicted, int64_t classes) {
  const Margins m = margins(confusion_matrix(gold, predicted, classes));
  double sum = 0;
  int64_t present = 0;
  for (size_t c = 0; c < m.gold.size(); ++c) {
    if (m.gold[c] + m.predicted[c] == 0) continue;
    sum += f1_of_counts(m.hits[c], m.gold[c], m.predicted[c]);
    ++present;
  }
  return sum / static_cast<double>(present);
}

double mcc(std::span<const int64_t> gold, std::span<const int64_t> predicted, int64_t classes) {
  const Margins m = margins(confusion_matrix(gold, predicted, classes));
  const auto n = static_cast<double>(gold.size());
  double hits = 0, both = 0, gold_squares = 0, predicted_squares = 0;
  for (size_t c = 0; c < m.gold.size(); ++c) {
    const auto g = static_cast<double>(m.gold[c]), p = static_cast<double>(m.predicted[c]);
    hits += static_cast<double>(m.hits[c]);
    both += g * p;
    gold_squares += g * g;
    predicted_squares += p * p;
  }
  const double spread = (n * n - gold_squares) * (n * n - predicted_squares);
  return spread == 0 ? 0.0 : (hits * n - both) / std::sqrt(spread);
}

Metrics classification_metrics(std::span<const int64_t> gold, std::span<const int64_t> predicted,
                               int64_t classes) {
  Metrics metrics;
  const double macro = f1_macro(gold, predicted, classes);
  metrics.set("accuracy", accuracy(gold, predicted));
  metrics.set("f1", classes == 2 ? f1_of_class(gold, predicted, 1) : macro);
  metrics.set("macro_f1", macro);
  metrics.set("mcc", mcc(gold, predicted, classes));
  return metrics;
}

Metrics multi_label_metrics(std::span<const uint8_t> gold, std::span<const uint8_t> predicted,
                            int64_t classes) {
  check_sizes(gold.size(), predicted.size());
  const auto width = static_cast<size_t>(classes);
  SESAME_CHECK(width > 0 && gold.size() % width == 0, "metrics",
               "{} decisions do not divide into rows of {} labels", gold.size(), classes);
  std::vector<int64_t> hits(width), golds(width), predictions(width);
  size_t right_rows = 0;
  for (size_t row = 0; row < gold.size(); row += width) {
    bool right = true;
    for (size_t c = 0; c < width; ++c) {
      const bool g = gold[row + c] != 0, p = predicted[row + c] != 0;
      hits[c] += g && p;
      golds[c] += g;
      predictions[c] += p;
      right = right && g == p;
    }
    right_rows += right;
  }
  int64_t all_hits = 0, all_golds = 0, all_predictions = 0;
  double macro = 0;
  for (size_t c = 0; c < width; ++c) {
    all_hits += hits[c];
    all_golds += golds[c];
    all_predictions += predictions[c];
    macro += f1_of_counts(hits[c], golds[c], predictions[c]);
  }
  Metrics metrics;
  const double micro = f1_of_counts(all_hits, all_golds, all_predictions);
  metrics.set("accuracy", static_cast<double>(right_rows) / static_cast<double>(gold.size() / width));
  metrics.set("f1", micro);
  metrics.set("micro_f1", micro);
  metrics.set("macro_f1", macro / static_cast<double>(width));
  return metrics;
}

}  // namespace sesame
