// Keys and values of hypotheses that are being written, one cache for each layer. Every hypothesis owns a
// slot of `room` rows; continuing one means writing behind its rows, and reordering hypotheses permutes
// slots. Only where a hypothesis is continued twice are its rows copied.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/tensor.h"
#include "nn/layers/attention.h"

namespace sesame {

class HypothesisCache {
 public:
  // Caches [.., 2 width] of `layers` layers; hypothesis i begins with lengths[i] rows, to be written in the
  // first step.
  HypothesisCache(std::int64_t layers, std::int64_t width, std::int64_t room,
                  const std::vector<std::int64_t>& lengths, TensorOptions options);

  // The first step: all first rows of each hypothesis, end to end.
  CacheStep first(AttentionPattern pattern) const;
  // Hypothesis i from here on is parents[i] of before, with one more row. Throws Error for parents that do
  // not exist and where the room is used up.
  CacheStep advance(const std::vector<std::int64_t>& parents);

  Tensor& layer(std::size_t i) { return layers_[i]; }
  // Rows of each hypothesis, those of the step included.
  const std::vector<std::int64_t>& lengths() const { return lengths_; }
  // Hypotheses there is memory for.
  std::int64_t slots() const { return layers_.empty() ? 0 : layers_[0].size(0) / room_; }

 private:
  void grow(std::int64_t slots);
  void copy(const std::vector<std::int64_t>& from, const std::vector<std::int64_t>& to);
  Segments keys() const;

  std::vector<Tensor> layers_;
  std::int64_t room_;
  std::vector<std::int64_t> slot_;     // of each hypothesis
  std::vector<std::int64_t> lengths_;  // rows used in it
};

}  // namespace sesame
