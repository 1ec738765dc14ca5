#include "tasks/train/sampler.h"

#include <algorithm>
#include <numeric>

#include "autograd/check.h"
#include "autograd/random.h"

namespace sesame {

Sampler::Sampler(const SamplerOptions& options, std::function<std::int64_t(std::int64_t)> length)
    : options_(options), length_(std::move(length)) {
  SESAME_CHECK(options.examples > 0, "sampler", "there are no training examples");
  SESAME_CHECK(options.batch_size > 0 && options.accumulate > 0 && options.batch_tokens >= 0, "sampler",
               "batch size, accumulation and token budget must be positive, got {}, {} and {}",
               options.batch_size, options.accumulate, options.batch_tokens);
}

std::vector<std::int64_t> Sampler::order(std::int64_t epoch) const {
  std::vector<std::int64_t> order(static_cast<std::size_t>(options_.examples));
  std::iota(order.begin(), order.end(), 0);
  RandomStream stream(
      mix_key(mix_key(hash_text("order of examples"), options_.seed), static_cast<std::uint64_t>(epoch)));
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[stream.below(i)]);  // Fisher-Yates
  if (!options_.bucket) return order;
  const auto group = static_cast<std::ptrdiff_t>(50 * options_.batch_size * options_.accumulate);
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end = order.end() - begin > group ? begin + group : order.end();
    std::stable_sort(begin, end, [&](std::int64_t a, std::int64_t b) { return length_(a) > length_(b); });
    begin = end;
  }
  return order;
}

std::vector<Update> Sampler::epoch(std::int64_t number) const {
  std::vector<Update> updates;
  std::vector<std::int64_t> part;
  std::int64_t tokens = 0;
  const auto close_part = [&] {
    if (part.empty()) return;
    if (updates.empty() || static_cast<std::int64_t>(updates.back().size()) == options_.accumulate) {
      updates.emplace_back();
    }
    updates.back().push_back(std::move(part));
    part.clear();
    tokens = 0;
  };
  for (std::int64_t example : order(number)) {
    const std::int64_t length = options_.batch_tokens > 0 ? length_(example) : 0;
    if (options_.batch_tokens > 0 && tokens + length > options_.batch_tokens) close_part();
    part.push_back(example);
    tokens += length;
    if (options_.batch_tokens == 0 && static_cast<std::int64_t>(part.size()) == options_.batch_size)
      close_part();
  }
  close_part();
  if (options_.bucket) {
    // Long batches first, short ones last would be an order of its own.
    RandomStream stream(
        mix_key(mix_key(hash_text("order of updates"), options_.seed), static_cast<std::uint64_t>(number)));
    for (std::size_t i = updates.size(); i > 1; --i) std::swap(updates[i - 1], updates[stream.below(i)]);
  }
  return updates;
}

std::int64_t Sampler::updates_per_epoch() const {
  if (options_.batch_tokens > 0) return static_cast<std::int64_t>(epoch(0).size());
  const std::int64_t parts = (options_.examples + options_.batch_size - 1) / options_.batch_size;
  return (parts + options_.accumulate - 1) / options_.accumulate;
}

}  // namespace sesame
