#include "tasks/metrics/bleu.h"

#include <array>
#include <cmath>
#include <cstdlib>

#include "autograd/check.h"
#include "tasks/metrics/ngrams.h"

namespace sesame {
namespace {

constexpr std::size_t kBleuOrder = 4;

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_stop(char c) { return c == '.' || c == ','; }
// [\{-\~\[-\` -\&\(-\+\:-\@\/]: ASCII punctuation but for ' , - and .
bool is_symbol(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

// Replaces every two neighbouring bytes for which `matches`, from the left and without overlap, by
// before + first + between + second + after. Bytes do for characters: all that is looked for is ASCII.
template <class Matches>
std::string respace(const std::string& text, Matches matches, const char* before, const char* after) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      out += before;
      out += text[i];
      out += ' ';
      out += text[++i];
      out += after;
    } else {
      out += text[i];
    }
  }
  return out;
}

struct BleuStatistics {
  std::array<std::int64_t, kBleuOrder> correct = {}, total = {};
  std::int64_t hypothesis_length = 0, reference_length = 0;
};

std::int64_t closest_length(std::int64_t wanted, const std::vector<std::u32string>& references) {
  std::int64_t closest = -1;
  for (const std::u32string& reference : references) {
    const auto length = static_cast<std::int64_t>(reference.size());
    const std::int64_t gap = std::abs(length - wanted), best = std::abs(closest - wanted);
    if (closest < 0 || gap < best || (gap == best && length < closest)) closest = length;
  }
  return closest;
}

void add_segment(BleuStatistics& sum, const std::string& hypothesis, const std::vector<std::string>& references) {
  WordNumbers number;
  const std::u32string words = number(tokenize_13a(hypothesis));
  std::vector<std::u32string> wanted;
  for (const std::string& reference : references) wanted.push_back(number(tokenize_13a(reference)));
  for (std::size_t n = 1; n <= kBleuOrder; ++n) {
    NgramCounts most;  // an n-gram may be used as often as the reference has it that has it most
    for (const std::u32string& reference : wanted) {
      for (const auto& [ngram, count] : count_ngrams(reference, n)) {
        std::int64_t& known = most[ngram];
        known = std::max(known, count);
      }
    }
    sum.correct[n - 1] += common_ngrams(count_ngrams(words, n), most);
    sum.total[n - 1] += ngram_total(words.size(), n);
  }
  sum.hypothesis_length += static_cast<std::int64_t>(words.size());
  sum.reference_length += closest_length(static_cast<std::int64_t>(words.size()), wanted);
}

}  // namespace

std::vector<std::string> tokenize_13a(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n\v\f") + 1);
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  std::string spaced = " ";
  for (const char c : text) {
    if (is_symbol(c)) spaced += ' ';
    spaced += c;
    if (is_symbol(c)) spaced += ' ';
  }
  spaced += ' ';
  spaced = respace(
      spaced, [](char a, char b) { return !is_digit(a) && is_stop(b); }, "", " ");
  spaced = respace(
      spaced, [](char a, char b) { return is_stop(a) && !is_digit(b); }, " ", "");
  spaced = respace(
      spaced, [](char a, char b) { return is_digit(a) && b == '-'; }, "", " ");
  return split_white_space(spaced);
}

double corpus_bleu(const std::vector<std::string>& hypotheses,
                   const std::vector<std::vector<std::string>>& references) {
  SESAME_CHECK(hypotheses.size() == references.size(), "bleu", "{} hypotheses, references for {}",
               hypotheses.size(), references.size());
  BleuStatistics sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) add_segment(sum, hypotheses[i], references[i]);
  if (sum.correct == decltype(sum.correct){}) return 0;
  double log_sum = 0, smooth = 1;
  for (std::size_t n = 0; n < kBleuOrder; ++n) {
    if (sum.total[n] == 0) return 0;  // no hypothesis is that long
    const auto total = static_cast<double>(sum.total[n]);
    if (sum.correct[n] == 0) smooth *= 2;
    log_sum += sum.correct[n] == 0 ? std::log(100. / (smooth * total))
                                   : std::log(100. * static_cast<double>(sum.correct[n]) / total);
  }
  const double ratio = static_cast<double>(sum.reference_length) / static_cast<double>(sum.hypothesis_length);
  return std::exp(std::min(0., 1 - ratio)) * std::exp(log_sum / kBleuOrder);
}

}  // namespace sesame
