#include "tasks/metrics/chrf.h"

#include <array>

#include "autograd/check.h"
#include "models/tokenizer/utf8.h"
#include "tasks/metrics/ngrams.h"

namespace sesame {
namespace {

constexpr std::size_t kChrfOrder = 6;
constexpr double kBeta2 = 4;  // beta squared: recall weighs twice as much

struct Counts {
  std::int64_t hypothesis = 0, reference = 0, common = 0;
};
using ChrfStatistics = std::array<Counts, kChrfOrder>;

// Code points without white space.
std::u32string characters(const std::string& text) {
  std::u32string all;
  for (const std::string& word : split_white_space(text)) {
    const char *p = word.data(), *end = p + word.size();
    while (p < end) {
      char32_t c = 0;
      p += std::max(decode_utf8(p, end, c), 1);
      all += c;
    }
  }
  return all;
}

// Mean precision and recall over the orders that both sides have, then F.
double f_score(const ChrfStatistics& statistics) {
  double precision = 0, recall = 0;
  int orders = 0;
  for (const Counts& counts : statistics) {
    if (counts.hypothesis == 0 || counts.reference == 0) continue;
    precision += static_cast<double>(counts.common) / static_cast<double>(counts.hypothesis);
    recall += static_cast<double>(counts.common) / static_cast<double>(counts.reference);
    ++orders;
  }
  if (precision + recall == 0) return 0;
  precision /= orders, recall /= orders;
  return 100 * (1 + kBeta2) * precision * recall / (kBeta2 * precision + recall);
}

ChrfStatistics compare(const std::array<NgramCounts, kChrfOrder>& counts, const std::u32string& hypothesis,
                   const std::u32string& reference) {
  ChrfStatistics statistics;
  for (std::size_t n = 1; n <= kChrfOrder; ++n) {
    const std::int64_t wanted = ngram_total(reference.size(), n);
    // n-grams of an order that the reference is too short for do not count against the hypothesis.
    statistics[n - 1] = {wanted == 0 ? 0 : ngram_total(hypothesis.size(), n), wanted,
                         common_ngrams(count_ngrams(reference, n), counts[n - 1])};
  }
  return statistics;
}

ChrfStatistics best_of(const std::string& hypothesis, const std::vector<std::string>& references) {
  const std::u32string written = characters(hypothesis);
  std::array<NgramCounts, kChrfOrder> counts;
  for (std::size_t n = 1; n <= kChrfOrder; ++n) counts[n - 1] = count_ngrams(written, n);
  ChrfStatistics best;
  double best_score = -1;
  for (const std::string& reference : references) {
    const ChrfStatistics one = compare(counts, written, characters(reference));
    if (f_score(one) <= best_score) continue;
    best = one;
    best_score = f_score(one);
  }
  return best;
}

}  // namespace

double corpus_chrf(const std::vector<std::string>& hypotheses,
                   const std::vector<std::vector<std::string>>& references) {
  SESAME_CHECK(hypotheses.size() == references.size(), "chrf", "{} hypotheses, references for {}",
               hypotheses.size(), references.size());
  ChrfStatistics sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const ChrfStatistics one = best_of(hypotheses[i], references[i]);
    for (std::size_t n = 0; n < kChrfOrder; ++n) {
      sum[n].hypothesis += one[n].hypothesis;
      sum[n].reference += one[n].reference;
      sum[n].common += one[n].common;
    }
  }
  return f_score(sum);
}

}  // namespace sesame
