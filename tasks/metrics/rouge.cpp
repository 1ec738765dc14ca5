#include "tasks/metrics/rouge.h"

#include "autograd/check.h"
#include "tasks/metrics/ngrams.h"

namespace sesame {
namespace {

// Two capitals beyond ASCII have lower-case forms that begin with an ASCII letter.
constexpr std::string_view kKelvinSign = "\u212A", kCapitalIWithDot = "\u0130";

std::vector<std::string> rouge_words(const std::string& text) {
  std::vector<std::string> words;
  bool inside = false;
  const auto add = [&](char c) {
    if (!inside) words.emplace_back();
    inside = true;
    words.back() += c;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::string_view rest = std::string_view(text).substr(i);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      add(c);
    } else if (c >= 'A' && c <= 'Z') {
      add(static_cast<char>(c - 'A' + 'a'));
    } else if (rest.starts_with(kKelvinSign)) {
      add('k');
      i += kKelvinSign.size() - 1;
    } else if (rest.starts_with(kCapitalIWithDot)) {
      add('i');
      inside = false;  // the dot becomes a mark of its own, which separates
      i += kCapitalIWithDot.size() - 1;
    } else {
      inside = false;
    }
  }
  return words;
}

double f1(std::int64_t common, std::int64_t hypothesis, std::int64_t reference) {
  if (common == 0) return 0;
  const double precision = static_cast<double>(common) / static_cast<double>(hypothesis);
  const double recall = static_cast<double>(common) / static_cast<double>(reference);
  return 2 * precision * recall / (precision + recall);
}

double rouge_n(const std::u32string& hypothesis, const std::u32string& reference, std::size_t n) {
  return f1(common_ngrams(count_ngrams(hypothesis, n), count_ngrams(reference, n)),
            ngram_total(hypothesis.size(), n), ngram_total(reference.size(), n));
}

// Length of the longest common subsequence, one row of the table at a time.
std::int64_t longest_common(const std::u32string& a, const std::u32string& b) {
  std::vector<std::int64_t> row(b.size() + 1, 0);
  for (const char32_t symbol : a) {
    std::int64_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::int64_t above = row[j + 1];
      row[j + 1] = symbol == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

RougeScores rouge_scores(const std::vector<std::string>& hypotheses,
                         const std::vector<std::vector<std::string>>& references) {
  SESAME_CHECK(hypotheses.size() == references.size(), "rouge", "{} hypotheses, references for {}",
               hypotheses.size(), references.size());
  RougeScores sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    WordNumbers number;
    const std::u32string written = number(rouge_words(hypotheses[i]));
    RougeScores best;
    for (const std::string& text : references[i]) {
      const std::u32string wanted = number(rouge_words(text));
      best.rouge1 = std::max(best.rouge1, rouge_n(written, wanted, 1));
      best.rouge2 = std::max(best.rouge2, rouge_n(written, wanted, 2));
      best.rougeL =
          std::max(best.rougeL, f1(longest_common(written, wanted), static_cast<std::int64_t>(written.size()),
                                   static_cast<std::int64_t>(wanted.size())));
    }
    sum.rouge1 += best.rouge1, sum.rouge2 += best.rouge2, sum.rougeL += best.rougeL;
  }
  const auto count = static_cast<double>(std::max<std::size_t>(hypotheses.size(), 1));
  return {sum.rouge1 / count, sum.rouge2 / count, sum.rougeL / count};
}

}  // namespace sesame
