// Which examples make up which update.
#include <doctest/doctest.h>

#include <algorithm>

#include "tasks/train/sampler.h"
#include "temporary.h"

using namespace sesame;
using sesame::testing::error_of;

namespace {

std::int64_t length_of(std::int64_t i) { return 3 + i % 7; }

std::vector<std::int64_t> flat(const std::vector<Update>& updates) {
  std::vector<std::int64_t> all;
  for (const Update& update : updates) {
    for (const auto& part : update) all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace

TEST_CASE("every example comes once an epoch, in an order of seed and epoch") {
  for (const SamplerOptions& options : {SamplerOptions{.examples = 103, .batch_size = 8},
                                        SamplerOptions{.examples = 103, .batch_size = 8, .accumulate = 3},
                                        SamplerOptions{.examples = 103, .batch_tokens = 40},
                                        SamplerOptions{.examples = 103, .batch_size = 8, .bucket = true}}) {
    const Sampler sampler(options, length_of);
    std::vector<std::int64_t> order = flat(sampler.epoch(0));
    CHECK(order == flat(sampler.epoch(0)));
    CHECK(order != flat(sampler.epoch(1)));
    std::sort(order.begin(), order.end());
    REQUIRE(order.size() == 103);
    for (std::int64_t i = 0; i < 103; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
    CHECK(sampler.updates_per_epoch() == static_cast<std::int64_t>(sampler.epoch(0).size()));
  }
}

TEST_CASE("accumulated parts are the large batch cut up") {
  const Sampler parts({.examples = 50, .batch_size = 4, .accumulate = 3}, length_of);
  const Sampler whole({.examples = 50, .batch_size = 12}, length_of);
  const auto cut = parts.epoch(2), large = whole.epoch(2);
  REQUIRE(cut.size() == large.size());
  for (std::size_t i = 0; i < cut.size(); ++i) CHECK(flat({cut[i]}) == flat({large[i]}));
}

TEST_CASE("a token budget is kept, and an example longer than it comes alone") {
  const Sampler sampler({.examples = 60, .batch_tokens = 8}, length_of);
  for (const Update& update : sampler.epoch(0)) {
    std::int64_t tokens = 0;
    for (std::int64_t i : update.at(0)) tokens += length_of(i);
    CHECK((tokens <= 8 || update.at(0).size() == 1));
  }
}

TEST_CASE("impossible sizes are refused") {
  CHECK(error_of([] { Sampler({.examples = 0}, length_of); }).find("no training examples") !=
        std::string::npos);
  CHECK(error_of([] { Sampler({.examples = 3, .batch_size = 0}, length_of); }).find("must be positive") !=
        std::string::npos);
}
