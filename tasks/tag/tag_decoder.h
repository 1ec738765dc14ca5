// From the logits of words to their tags: one model or an ensemble.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tasks/tag/scheme.h"
#include "tasks/tag/tag_model.h"

namespace sesame {

// Free: each word its best tag. Legal: the most probable sequence that the tagging scheme allows. Crf: the
// best sequence of the model's own CRF.
enum class Decode { Free, Legal, Crf };
Decode parse_decode(const std::string& name, const std::string& where);
const char* decode_name(Decode decode);  // "free", "legal", "crf"

// [n * K] of one sentence.
using SentenceLogits = std::vector<float>;

struct DecodedSentence {
  std::vector<std::int64_t> tags;  // [n] label numbers
  std::vector<double> scores;      // [n] probability of each chosen tag by itself
};

class TagDecoder {
 public:
  TagDecoder(const std::vector<std::string>& labels, Scheme scheme, Decode decode);
  // A CRF's own scores, averaged over models; only for Decode::Crf.
  void set_crf(const std::vector<const Crf*>& crfs);

  // `models` holds the logits of each model for one sentence. Probabilities are averaged; with a CRF the
  // logits are.
  DecodedSentence decode(const std::vector<const SentenceLogits*>& models) const;

 private:
  Decode decode_;
  std::size_t labels_;
  Transitions transitions_;
};

}  // namespace sesame
