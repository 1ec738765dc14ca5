// Which examples make up which update: a random order per epoch, cut into updates and their accumulated
// parts.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace sesame {

struct SamplerOptions {
  std::int64_t examples = 0;
  std::int64_t batch_size = 32;   // examples in one part
  std::int64_t batch_tokens = 0;  // > 0: parts of at most so many tokens instead (one example at least)
  std::int64_t accumulate = 1;    // parts in one update
  bool bucket = false;            // group by length within 50 updates (packing does not need it)
  std::uint64_t seed = 42;
};

// Parts of one update, each a list of example numbers.
using Update = std::vector<std::vector<std::int64_t>>;

// The order of an epoch is a function of (seed, epoch) alone, so a resumed run finds its place by the update
// number.
class Sampler {
 public:
  // `length(i)` is the number of tokens of example i; asked only for batch_tokens and bucket. Throws Error
  // when there are no examples or a size is not positive.
  Sampler(const SamplerOptions& options, std::function<std::int64_t(std::int64_t)> length);

  // All updates of an epoch, every example once.
  std::vector<Update> epoch(std::int64_t number) const;
  // Updates in an epoch; with batch_tokens that may differ between epochs, this is the first one's.
  std::int64_t updates_per_epoch() const;

 private:
  std::vector<std::int64_t> order(std::int64_t epoch) const;
  SamplerOptions options_;
  std::function<std::int64_t(std::int64_t)> length_;
};

}  // namespace sesame
