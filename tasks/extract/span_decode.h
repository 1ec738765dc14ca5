// From start and end scores to answers: the best spans of a question over all its windows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tasks/extract/extract_model.h"

namespace sesame {

struct SpanCandidate {
  std::int64_t start = -1, end = -1;  // code points [start, end) of the document; -1, -1: no answer
  double logit = 0;                   // start score + end score
  double score = 0;                   // its share: softmax of the logits over the candidates
};

struct QuestionAnswer {
  // The best first, at most kCandidates; "no answer" is one of them where the model knows it. Empty: no
  // answer, the document has no tokens.
  std::vector<SpanCandidate> candidates;
  SpanCandidate best;     // the best span, whatever "no answer" says
  double null_logit = 0;  // the lowest over the windows of start + end at [CLS]
  // How much "no answer" is ahead of the best span; infinite without a span.
  double null_lead() const;
};

struct DecodeOptions {
  std::int64_t max_answer = 30;  // tokens
  bool null_answers = false;     // "no answer" is a candidate
};

constexpr std::size_t kCandidates = 20;

// `windows` and `logits` of one question. Of each window the 20 best starts and ends inside the document make
// the candidates (end >= start, at most max_answer tokens); a span that several windows hold counts with its
// best score.
QuestionAnswer decode_spans(std::span<const Window> windows, std::span<const SpanLogits> logits,
                            const DecodeOptions& options);

}  // namespace sesame
