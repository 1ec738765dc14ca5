#include "tasks/train/feature_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "autograd/ops/rows.h"

namespace sesame {

TrunkRows FeatureCache::rows(std::span<const std::int64_t> examples, const Compute& compute) {
  const NoGradGuard no_grad;
  std::vector<std::int64_t> missing;
  for (const std::int64_t i : examples) {
    if (!kept_.contains(i)) missing.push_back(i);
  }
  TrunkRows fresh;
  if (!missing.empty()) fresh = compute(missing);
  if (missing.size() == examples.size() && bytes_ >= limit_) return fresh;

  std::unordered_map<std::int64_t, Tensor> passing;  // no room for them
  if (!fresh.states.empty()) states_ = fresh.states.size();
  for (std::int64_t k = 0, begin = 0; k < static_cast<std::int64_t>(missing.size()); ++k) {
    const std::int64_t end = begin + fresh.counts[static_cast<std::size_t>(k)];
    std::vector<Tensor> parts;
    for (const Tensor& state : fresh.states) parts.push_back(state.detach().slice(0, begin, end));
    const Tensor own = concat(parts, 0);
    begin = end;
    const std::int64_t size = own.numel() * static_cast<std::int64_t>(dtype_size(own.dtype()));
    const std::int64_t name = missing[static_cast<std::size_t>(k)];
    if (bytes_ + size <= limit_) {
      bytes_ += size;
      kept_[name] = store(own);
      continue;
    }
    passing[name] = own;
    if (!said_) {
      said_ = true;
      fmt::print(stderr,
                 "features of the frozen model: --cache-mb {} is full after {} examples; those beyond are "
                 "computed again in each epoch (a larger --cache-mb keeps them)\n",
                 limit_ >> 20, kept_.size());
    }
  }

  TrunkRows rows;
  std::vector<const Tensor*> found;
  for (const std::int64_t i : examples) {
    const auto kept = kept_.find(i);
    found.push_back(kept != kept_.end() ? &kept->second : &passing.at(i));
    rows.counts.push_back(found.back()->size(0) / static_cast<std::int64_t>(states_));
  }
  for (std::size_t s = 0; s < states_; ++s) {
    std::vector<Tensor> parts;
    for (std::size_t k = 0; k < found.size(); ++k) {
      const std::int64_t begin = static_cast<std::int64_t>(s) * rows.counts[k];
      parts.push_back(found[k]->slice(0, begin, begin + rows.counts[k]));
    }
    rows.states.push_back(concat(parts, 0));
  }
  return rows;
}

Tensor FeatureCache::store(const Tensor& rows) {
  constexpr std::int64_t slab_bytes = 16 << 20;
  if (!slab_.defined() || used_ + rows.size(0) > slab_.size(0)) {
    const std::int64_t row_bytes = rows.size(1) * static_cast<std::int64_t>(dtype_size(rows.dtype()));
    slab_ = Tensor::empty({std::max(slab_bytes / row_bytes, rows.size(0)), rows.size(1)},
                          {.dtype = rows.dtype(), .device = rows.device()});
    used_ = 0;
  }
  Tensor kept = slab_.slice(0, used_, used_ + rows.size(0));
  kept.copy_(rows);
  used_ += rows.size(0);
  return kept;
}

std::vector<std::vector<std::int64_t>> FeatureCache::dev_chunks(std::size_t examples,
                                                                std::int64_t batch_tokens,
                                                                std::size_t longest) {
  const std::size_t size =
      std::max<std::size_t>(1, static_cast<std::size_t>(batch_tokens) / std::max<std::size_t>(longest, 1));
  std::vector<std::vector<std::int64_t>> chunks;
  for (std::size_t i = 0; i < examples; ++i) {
    if (i % size == 0) chunks.emplace_back();
    chunks.back().push_back(dev_name(i));
  }
  return chunks;
}

}  // namespace sesame
