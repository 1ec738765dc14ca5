#include "tasks/extract/span_decode.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace sesame {
namespace {

// Positions in [begin, end) of the `count` highest values, the highest first; the earlier of equals.
std::vector<std::int64_t> highest(const std::vector<float>& values, std::int64_t begin, std::int64_t end,
                                  std::size_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(end - begin));
  std::iota(order.begin(), order.end(), begin);
  const std::size_t kept = std::min(count, order.size());
  const auto key = [&](std::int64_t i) {  // NaN has no place in an order
    const float value = values[static_cast<std::size_t>(i)];
    return std::isnan(value) ? -std::numeric_limits<float>::infinity() : value;
  };
  const auto better = [&](std::int64_t a, std::int64_t b) {
    return key(a) != key(b) ? key(a) > key(b) : a < b;
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(), better);
  order.resize(kept);
  return order;
}

using Spans = std::map<std::pair<std::int64_t, std::int64_t>, double>;  // (start, end) -> logit

void add_spans(const Window& window, const SpanLogits& logits, std::int64_t max_answer, Spans& spans) {
  const std::vector<std::int64_t> ends = highest(logits.end, window.begin, window.end, kCandidates);
  for (const std::int64_t i : highest(logits.start, window.begin, window.end, kCandidates)) {
    for (const std::int64_t j : ends) {
      if (j < i || j - i >= max_answer) continue;
      const double logit = static_cast<double>(logits.start[static_cast<std::size_t>(i)]) +
                           static_cast<double>(logits.end[static_cast<std::size_t>(j)]);
      const std::pair<std::int64_t, std::int64_t> place = {
          window.spans[static_cast<std::size_t>(i - window.begin)].begin,
          window.spans[static_cast<std::size_t>(j - window.begin)].end};
      const auto [found, fresh] = spans.emplace(place, logit);
      if (!fresh) found->second = std::max(found->second, logit);
    }
  }
}

void set_scores(std::vector<SpanCandidate>& candidates) {
  double sum = 0;
  for (SpanCandidate& c : candidates) sum += c.score = std::exp(c.logit - candidates.front().logit);
  for (SpanCandidate& c : candidates) c.score /= sum;
}

}  // namespace

double QuestionAnswer::null_lead() const {
  return best.start < 0 ? std::numeric_limits<double>::infinity() : null_logit - best.logit;
}

QuestionAnswer decode_spans(std::span<const Window> windows, std::span<const SpanLogits> logits,
                            const DecodeOptions& options) {
  QuestionAnswer answer;
  Spans spans;
  answer.null_logit = std::numeric_limits<double>::infinity();
  for (std::size_t w = 0; w < windows.size(); ++w) {
    add_spans(windows[w], logits[w], options.max_answer, spans);
    answer.null_logit = std::min(
        answer.null_logit, static_cast<double>(logits[w].start[0]) + static_cast<double>(logits[w].end[0]));
  }
  std::vector<SpanCandidate>& list = answer.candidates;
  for (const auto& [place, logit] : spans) list.push_back({place.first, place.second, logit});
  const auto better = [](const SpanCandidate& a, const SpanCandidate& b) { return a.logit > b.logit; };
  std::stable_sort(list.begin(), list.end(), better);
  if (list.size() > kCandidates) list.resize(kCandidates);
  if (!list.empty()) answer.best = list.front();
  if (options.null_answers) {
    list.push_back({-1, -1, answer.null_logit});
    std::stable_sort(list.begin(), list.end(), better);
  }
  if (!list.empty()) set_scores(list);
  for (const SpanCandidate& c : list) {
    if (c.start >= 0 && c.start == answer.best.start && c.end == answer.best.end) answer.best.score = c.score;
  }
  return answer;
}

}  // namespace sesame
