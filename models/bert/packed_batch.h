// What a BERT gets: the tokens of all sequences end to end, without padding.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/segments.h"
#include "autograd/tensor.h"

namespace sesame {

struct PackedBatch {
  Tensor ids;           // [T] int64
  Tensor position_ids;  // [T] int64, from 0 in each sequence
  Tensor type_ids;      // [T] int64
  Segments segments;    // n sequences over T rows

  PackedBatch to(Device device) const;
};

// One sequence with special tokens.
struct TokenSequence {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> type_ids;  // as many as ids, or empty: all 0
  std::int64_t example = 0;            // index in the whole step: names the sequence's random draws
};

// Packs sequences in their order. Throws Error naming the example for one that is empty, longer than
// max_positions, or whose type ids are not as many as its ids.
PackedBatch pack_batch(const std::vector<TokenSequence>& sequences, std::int64_t max_positions,
                       Device device = {});

}  // namespace sesame
