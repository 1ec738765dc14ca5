// Answers of a model, or of an ensemble, to questions, and their scores.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tasks/extract/span_decode.h"
#include "tasks/extract/task_file.h"
#include "tasks/metrics/squad.h"

namespace sesame {

struct AnswerOptions {
  WindowOptions windows;
  DecodeOptions decode;
  std::int64_t batch_tokens = 4096;
  Device device = {};

  static AnswerOptions of(const ExtractTaskFile& file, std::int64_t batch_tokens, Device device);
};

struct Answered {
  QuestionAnswer answer;
  std::vector<SpanLogits> logits;  // of each window
};

// In evaluation mode, in order, batched by tokens over all windows. The logits of several models are
// averaged. Logits are returned only where `keep_logits` is set. With a cache there is one model, frozen, and
// the questions are the cache's development set.
std::vector<Answered> answer_questions(std::span<const ExtractModel* const> models,
                                       const Tokenizer& tokenizer, std::span<const QuestionExample> examples,
                                       const AnswerOptions& options, bool keep_logits = false,
                                       FeatureCache* cache = nullptr);

// The best spans' texts beside the gold answers, and how sure "no answer" is.
std::vector<SquadItem> squad_items(std::span<const QuestionExample> examples,
                                   std::span<const Answered> answers);

// The threshold of null_lead with the best F1 on these questions.
double tune_threshold(const std::vector<SquadItem>& items);

// The official scores; `threshold` where the model knows "no answer".
Metrics score_answers(const std::vector<SquadItem>& items, bool second_version,
                      std::optional<double> threshold);

}  // namespace sesame
