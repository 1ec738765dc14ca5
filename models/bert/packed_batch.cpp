#include "models/bert/packed_batch.h"

#include <numeric>

#include "autograd/check.h"

namespace sesame {

PackedBatch PackedBatch::to(Device device) const {
  return {ids.to(device), position_ids.to(device), type_ids.to(device), segments.to(device)};
}

PackedBatch pack_batch(const std::vector<TokenSequence>& sequences, std::int64_t max_positions,
                       Device device) {
  std::vector<std::int64_t> ids, positions, types, lengths;
  SegmentsOptions options;
  options.device = device;
  for (const TokenSequence& sequence : sequences) {
    const auto length = static_cast<std::int64_t>(sequence.ids.size());
    SESAME_CHECK(length > 0, "pack_batch", "example {} has no tokens", sequence.example);
    SESAME_CHECK(length <= max_positions, "pack_batch",
                 "example {} has {} tokens, the model has positions for {}: truncate it (--max-length)",
                 sequence.example, length, max_positions);
    SESAME_CHECK(sequence.type_ids.empty() || sequence.type_ids.size() == sequence.ids.size(), "pack_batch",
                 "example {} has {} type ids for {} tokens", sequence.example, sequence.type_ids.size(),
                 length);
    ids.insert(ids.end(), sequence.ids.begin(), sequence.ids.end());
    types.insert(types.end(), sequence.type_ids.begin(), sequence.type_ids.end());
    types.resize(ids.size(), 0);
    positions.resize(ids.size());
    std::iota(positions.end() - length, positions.end(), 0);
    lengths.push_back(length);
    options.examples.push_back(sequence.example);
  }
  // One tensor, so that a device gets them in one copy.
  const auto total = static_cast<std::int64_t>(ids.size());
  ids.insert(ids.end(), positions.begin(), positions.end());
  ids.insert(ids.end(), types.begin(), types.end());
  const Tensor all = Tensor::from(ids, device);
  return {all.slice(0, 0, total), all.slice(0, total, 2 * total), all.slice(0, 2 * total, 3 * total),
          Segments(lengths, options)};
}

}  // namespace sesame
