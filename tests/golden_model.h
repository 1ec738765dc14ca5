// What the tests against tests/golden share: the stored arrays, the packed batches in them, and a BERT
// classifier.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "models/checkpoint.h"
#include "models/pretrained.h"
#include "models/safetensors/safetensors.h"
#include "nn/layers/linear.h"

namespace sesame::testing {

// Numbers, their count and size, of one stored array.
class Golden {
 public:
  explicit Golden(const std::string& name)
      : file_(std::string(SESAME_SOURCE_DIR) + "/tests/golden/" + name + "_golden.safetensors") {}

  Tensor tensor(const std::string& name) const { return file_.tensor(name); }
  std::vector<double> values(const std::string& name) const {
    return tensor(name).to(DType::Float64).to_vector<double>();
  }
  double value(const std::string& name) const { return tensor(name).item(); }
  std::vector<std::int64_t> integers(const std::string& name) const {
    return tensor(name).to_vector<std::int64_t>();
  }
  const std::vector<SafetensorsEntry>& entries() const { return file_.entries(); }

  // The batch stored under `prefix`, as sequences.
  std::vector<TokenSequence> sequences(const std::string& prefix) const {
    const std::vector<std::int64_t> ids = integers(prefix + "ids"), types = integers(prefix + "types");
    std::vector<TokenSequence> list;
    auto id = ids.begin(), type = types.begin();
    for (const std::int64_t length : integers(prefix + "lengths")) {
      list.push_back({{id, id + length}, {type, type + length}, static_cast<std::int64_t>(list.size())});
      id += length, type += length;
    }
    return list;
  }
  PackedBatch batch(const std::string& prefix) const { return pack_batch(sequences(prefix), 1 << 20); }
  Tensor labels(const std::string& prefix) const { return tensor(prefix + "labels"); }

 private:
  SafetensorsFile file_;
};

// BertForSequenceClassification without its dropout.
struct GoldenClassifier : Module {
  GoldenClassifier(const BertConfig& config, std::int64_t classes)
      : bert(config), classifier(config.hidden_size, classes) {
    register_module("bert", bert);
    register_module("classifier", classifier);
    eval();
  }
  Tensor logits(const PackedBatch& batch) const {
    return classifier.forward(bert.forward(batch).pooled);
  }  // [n, C]

  Bert bert;
  Linear classifier;
};

inline std::string tiny_bert_directory() {
  return std::string(SESAME_SOURCE_DIR) + "/tests/golden/tiny_bert";
}

// The pretrained MiniLM: $SESAME_MINILM, else build/models/minilm; "" with a message when it is not there.
inline std::string minilm_directory() {
  const char* named = std::getenv("SESAME_MINILM");
  const std::string directory =
      named != nullptr ? named : std::string(SESAME_SOURCE_DIR) + "/build/models/minilm";
  if (std::filesystem::exists(directory + "/model.safetensors")) return directory;
  MESSAGE("skipped: no pretrained MiniLM at ", directory, " (set SESAME_MINILM)");
  return "";
}

inline double norm_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

inline std::vector<double> doubles(const Tensor& tensor) {
  return tensor.detach().to(DType::Float64).to_vector<double>();
}

inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

inline std::uint64_t splitmix64(std::uint64_t x) {
  std::uint64_t z = x + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// Sums of the values under `count` <= 64 random signs: the sign of element e in sum k is bit k of
// splitmix64(e), 1 for minus. The mean square of the sums of a difference estimates its squared norm.
inline std::vector<double> project(const std::vector<double>& values, std::size_t count) {
  std::vector<double> sums(count, 0);
  for (std::size_t e = 0; e < values.size(); ++e) {
    if (values[e] == 0) continue;
    const std::uint64_t z = splitmix64(e);
    for (std::size_t k = 0; k < count; ++k) sums[k] += (z >> k & 1) != 0 ? -values[e] : values[e];
  }
  return sums;
}

// Estimate of the norm of (values - reference) from the reference's projections.
inline double projected_distance(const std::vector<double>& values, const std::vector<double>& projections) {
  const std::vector<double> own = project(values, projections.size());
  double sum = 0;
  for (std::size_t k = 0; k < own.size(); ++k) sum += (own[k] - projections[k]) * (own[k] - projections[k]);
  return std::sqrt(sum / static_cast<double>(own.size()));
}

}  // namespace sesame::testing
