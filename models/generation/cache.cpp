#include "models/generation/cache.h"

#include <algorithm>
#include <numeric>

#include "autograd/check.h"
#include "autograd/ops/rows.h"

namespace sesame {

HypothesisCache::HypothesisCache(std::int64_t layers, std::int64_t width, std::int64_t room,
                                 const std::vector<std::int64_t>& lengths, TensorOptions options)
    : room_(room), slot_(lengths.size()), lengths_(lengths) {
  std::iota(slot_.begin(), slot_.end(), 0);
  for (const std::int64_t length : lengths) {
    SESAME_CHECK(0 < length && length <= room, "decode", "a source of {} rows in a cache with room for {}",
                 length, room);
  }
  const auto rows = static_cast<std::int64_t>(lengths.size()) * room;
  for (std::int64_t i = 0; i < layers; ++i) layers_.push_back(Tensor::empty({rows, 2 * width}, options));
}

Segments HypothesisCache::keys() const {
  SegmentsOptions options{.device = layers_.at(0).device()};
  for (const std::int64_t slot : slot_) options.begins.push_back(slot * room_);
  return Segments(lengths_, options);
}

CacheStep HypothesisCache::first(AttentionPattern pattern) const {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < slot_.size(); ++i) {
    for (std::int64_t t = 0; t < lengths_[i]; ++t) rows.push_back(slot_[i] * room_ + t);
  }
  const Device device = layers_.at(0).device();
  return {Segments(lengths_, {.device = device}), keys(), Tensor::from(rows, device), pattern};
}

CacheStep HypothesisCache::advance(const std::vector<std::int64_t>& parents) {
  const auto before = static_cast<std::int64_t>(slot_.size());
  std::vector<bool> taken(static_cast<std::size_t>(std::max(slots(), before)), false);
  for (const std::int64_t parent : parents) {
    SESAME_CHECK(0 <= parent && parent < before, "decode", "parent {} of {} hypotheses", parent, before);
    taken[static_cast<std::size_t>(slot_[static_cast<std::size_t>(parent)])] = true;
  }
  // The first child stays in its parent's slot, others move to a free one.
  std::vector<std::int64_t> slot, lengths, rows, copy_from, copy_to;
  std::vector<bool> continued(slot_.size(), false);
  std::size_t next_free = 0;
  for (const std::int64_t parent : parents) {
    const auto p = static_cast<std::size_t>(parent);
    const std::int64_t length = lengths_[p];
    SESAME_CHECK(length < room_, "decode", "a hypothesis of {} rows has no room for more", length);
    std::int64_t own = slot_[p];
    if (continued[p]) {
      while (next_free < taken.size() && taken[next_free]) ++next_free;
      own = static_cast<std::int64_t>(next_free++);
      for (std::int64_t t = 0; t < length; ++t) {
        copy_from.push_back(slot_[p] * room_ + t);
        copy_to.push_back(own * room_ + t);
      }
    }
    continued[p] = true;
    slot.push_back(own);
    lengths.push_back(length + 1);
    rows.push_back(own * room_ + length);
  }
  grow(static_cast<std::int64_t>(next_free));
  copy(copy_from, copy_to);
  slot_ = std::move(slot);
  lengths_ = std::move(lengths);
  const Device device = layers_.at(0).device();
  const Segments queries(std::vector<std::int64_t>(parents.size(), 1), {.device = device});
  return {queries, keys(), Tensor::from(rows, device), AttentionPattern::Causal};
}

void HypothesisCache::grow(std::int64_t wanted) {
  if (wanted <= slots()) return;
  for (Tensor& cache : layers_) {
    Tensor larger = Tensor::empty({wanted * room_, cache.size(1)}, cache.options());
    larger.slice(0, 0, cache.size(0)).copy_(cache);
    cache = larger;
  }
}

void HypothesisCache::copy(const std::vector<std::int64_t>& from, const std::vector<std::int64_t>& to) {
  if (from.empty()) return;
  const Device device = layers_.at(0).device();
  const Tensor sources = Tensor::from(from, device), targets = Tensor::from(to, device);
  for (Tensor& cache : layers_) write_rows(cache, targets, gather_rows(cache, sources));
}

}  // namespace sesame
