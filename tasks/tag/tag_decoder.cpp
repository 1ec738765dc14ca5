#include "tasks/tag/tag_decoder.h"

#include <algorithm>
#include <cmath>

#include "autograd/check.h"

namespace sesame {
namespace {

// Adds the softmax of a row of K logits to `sum`.
void add_probabilities(const float* logits, std::size_t k, double* sum) {
  const double top = *std::max_element(logits, logits + k);
  double total = 0;
  for (std::size_t j = 0; j < k; ++j) total += std::exp(logits[j] - top);
  for (std::size_t j = 0; j < k; ++j) sum[j] += std::exp(logits[j] - top) / total;
}

void add_to(std::vector<double>& sum, const Tensor& values) {
  const std::vector<double> added = values.detach().to(DType::Float64).to_vector<double>();
  sum.resize(added.size(), 0);
  for (std::size_t i = 0; i < added.size(); ++i) sum[i] += added[i];
}

}  // namespace

Decode parse_decode(const std::string& name, const std::string& where) {
  for (const Decode decode : {Decode::Free, Decode::Legal, Decode::Crf}) {
    if (name == decode_name(decode)) return decode;
  }
  fail(where, "unknown decoding '{}': expected free, legal or crf", name);
}

const char* decode_name(Decode decode) {
  return decode == Decode::Free ? "free" : decode == Decode::Legal ? "legal" : "crf";
}

TagDecoder::TagDecoder(const std::vector<std::string>& labels, Scheme scheme, Decode decode)
    : decode_(decode), labels_(labels.size()) {
  if (decode == Decode::Legal) transitions_ = legal_transitions(labels, scheme);
}

void TagDecoder::set_crf(const std::vector<const Crf*>& crfs) {
  Transitions sum;
  for (const Crf* crf : crfs) {
    add_to(sum.start, crf->start);
    add_to(sum.end, crf->end);
    add_to(sum.move, crf->transitions);
  }
  for (std::vector<double>* part : {&sum.start, &sum.end, &sum.move}) {
    for (double& value : *part) value /= static_cast<double>(crfs.size());
  }
  transitions_ = std::move(sum);
}

DecodedSentence TagDecoder::decode(const std::vector<const SentenceLogits*>& models) const {
  const std::size_t k = labels_, n = models.front()->size() / k;
  // Mean probabilities, or with a CRF mean logits: [n * K].
  std::vector<double> mean(n * k, 0);
  for (const SentenceLogits* logits : models) {
    if (decode_ != Decode::Crf) {
      for (std::size_t t = 0; t < n; ++t) add_probabilities(logits->data() + t * k, k, mean.data() + t * k);
    } else {
      for (std::size_t i = 0; i < n * k; ++i) mean[i] += (*logits)[i];
    }
  }
  for (double& value : mean) value /= static_cast<double>(models.size());
  DecodedSentence result;
  if (decode_ == Decode::Crf) {
    result.tags = best_path(mean, transitions_);
    mean = marginals(mean, transitions_);
  } else if (decode_ == Decode::Legal) {
    std::vector<double> logs = mean;
    for (double& value : logs) value = std::log(std::max(value, 1e-300));
    result.tags = best_path(logs, transitions_);
  } else {
    for (std::size_t t = 0; t < n; ++t) {
      const auto row = mean.begin() + static_cast<std::ptrdiff_t>(t * k);
      result.tags.push_back(std::max_element(row, row + static_cast<std::ptrdiff_t>(k)) - row);
    }
  }
  for (std::size_t t = 0; t < n; ++t) {
    result.scores.push_back(mean[t * k + static_cast<std::size_t>(result.tags[t])]);
  }
  return result;
}

}  // namespace sesame
