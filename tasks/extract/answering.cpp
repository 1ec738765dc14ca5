#include "tasks/extract/answering.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace sesame {
namespace {

constexpr std::size_t kQuestionsAtOnce = 256;  // bounds the windows held in memory

// Logits of each window, averaged over the models.
std::vector<SpanLogits> mean_logits(std::span<const ExtractModel* const> models,
                                    const std::vector<Window>& windows, const AnswerOptions& options,
                                    FeatureCache* cache, std::size_t first_window) {
  std::vector<SpanLogits> mean;
  const auto add = [&](std::vector<float>& sum, const std::vector<float>& values) {
    for (std::size_t t = 0; t < sum.size(); ++t) sum[t] += values[t] / static_cast<float>(models.size());
  };
  for (const ExtractModel* model : models) {
    std::vector<SpanLogits> one =
        span_logits(*model, windows, options.batch_tokens, options.device, cache, first_window);
    if (models.size() == 1) return one;
    mean.resize(one.size());
    for (std::size_t w = 0; w < one.size(); ++w) {
      mean[w].start.resize(one[w].start.size()), mean[w].end.resize(one[w].end.size());
      add(mean[w].start, one[w].start), add(mean[w].end, one[w].end);
    }
  }
  return mean;
}

}  // namespace

AnswerOptions AnswerOptions::of(const ExtractTaskFile& file, std::int64_t batch_tokens, Device device) {
  return {.windows = file.windows,
          .decode = {.max_answer = file.max_answer, .null_answers = file.null_answers},
          .batch_tokens = batch_tokens,
          .device = device};
}

std::vector<Answered> answer_questions(std::span<const ExtractModel* const> models,
                                       const Tokenizer& tokenizer, std::span<const QuestionExample> examples,
                                       const AnswerOptions& options, bool keep_logits, FeatureCache* cache) {
  std::vector<Answered> answers;
  std::size_t windows_before = 0;
  for (std::size_t begin = 0; begin < examples.size(); begin += kQuestionsAtOnce) {
    const auto part = examples.subspan(begin, std::min(kQuestionsAtOnce, examples.size() - begin));
    std::vector<Window> windows;
    std::vector<std::size_t> counts;
    for (const QuestionExample& example : part) {
      std::vector<Window> own = cut_windows(tokenizer, example, options.windows);
      counts.push_back(own.size());
      std::move(own.begin(), own.end(), std::back_inserter(windows));
    }
    const std::vector<SpanLogits> logits = mean_logits(models, windows, options, cache, windows_before);
    windows_before += windows.size();
    std::size_t first = 0;
    for (const std::size_t count : counts) {
      const std::span<const SpanLogits> own = std::span(logits).subspan(first, count);
      Answered& one = answers.emplace_back();
      one.answer = decode_spans(std::span(windows).subspan(first, count), own, options.decode);
      if (keep_logits) one.logits.assign(own.begin(), own.end());
      first += count;
    }
  }
  return answers;
}

std::vector<SquadItem> squad_items(std::span<const QuestionExample> examples,
                                   std::span<const Answered> answers) {
  std::vector<SquadItem> items;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    SquadItem& item = items.emplace_back();
    for (const AnswerSpan& gold : examples[i].answers) item.gold.push_back(gold.text);
    const SpanCandidate& best = answers[i].answer.best;
    item.predicted = best.start < 0 ? "" : cut_text(*examples[i].document, best.start, best.end);
    item.no_answer = answers[i].answer.null_lead();
  }
  return items;
}

double tune_threshold(const std::vector<SquadItem>& items) {
  std::vector<double> scores;
  for (const SquadItem& item : items) scores.push_back(score_item(item, SquadVersion::v2).f1);
  const double value = best_threshold(items, scores).value;
  return std::isfinite(value) ? value : 0;  // no document had a token
}

Metrics score_answers(const std::vector<SquadItem>& items, bool second_version,
                      std::optional<double> threshold) {
  const bool second = second_version || threshold.has_value();
  return squad_metrics(items, second ? SquadVersion::v2 : SquadVersion::v1, threshold);
}

}  // namespace sesame
