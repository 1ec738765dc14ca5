// Small models for the tests of sequences as output.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "autograd/random.h"
#include "models/generation/decoder_model.h"
#include "models/generation/self_model.h"
#include "models/pretrained.h"
#include "nn/init.h"

namespace sesame::testing {

constexpr std::int64_t kBegin = 2, kEnd = 3;

// tiny_bert's shape with a small vocabulary.
inline BertConfig tiny_config(std::int64_t vocab_size = 24) {
  BertConfig config;
  config.vocab_size = vocab_size;
  config.hidden_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 4;
  config.intermediate_size = 64;
  config.max_position_embeddings = 40;
  return config;
}

// Version 1 or 2 with random weights, large enough that outputs differ.
inline std::unique_ptr<SequenceModel> random_model(int version, double std, std::uint64_t seed = 1,
                                                   const BertConfig& config = tiny_config()) {
  std::unique_ptr<SequenceModel> model;
  if (version == 1) {
    model = std::make_unique<DecoderModel>(
        config, DecoderModelOptions{
                    .layers = 2, .vocab_size = config.vocab_size, .begin_id = kBegin, .end_id = kEnd});
  } else {
    model = std::make_unique<SelfModel>(config, kEnd);
  }
  init_bert(*model, std, seed);
  model->eval();
  return model;
}

inline TokenSequence random_source(RandomStream& random, std::int64_t length, std::int64_t example,
                                   std::int64_t vocab_size = 24) {
  TokenSequence source{.example = example};
  for (std::int64_t i = 0; i < length; ++i) {
    source.ids.push_back(4 +
                         static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(vocab_size - 4))));
    source.type_ids.push_back(3 * i > length ? 1 : 0);
  }
  return source;
}

inline std::vector<TokenSequence> random_sources(std::uint64_t seed = 7) {
  RandomStream random(seed);
  std::vector<TokenSequence> sources;
  for (const std::int64_t length : {5, 1, 17, 2, 9, 25}) {
    sources.push_back(random_source(random, length, static_cast<std::int64_t>(sources.size())));
  }
  return sources;
}

// Log-probabilities of the last row of [rows, V].
inline std::vector<double> last_log_probabilities(const Tensor& logits) {
  const std::int64_t v = logits.size(1);
  std::vector<double> row =
      logits.detach().slice(0, logits.size(0) - 1, logits.size(0)).to(DType::Float64).to_vector<double>();
  double high = *std::max_element(row.begin(), row.end()), total = 0;
  for (const double x : row) total += std::exp(x - high);
  for (std::int64_t i = 0; i < v; ++i) row[static_cast<std::size_t>(i)] -= high + std::log(total);
  return row;
}

}  // namespace sesame::testing
