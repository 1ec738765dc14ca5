// Kept features of a frozen trunk: what they give, and what they take.
#include <numeric>

#include "autograd/allocator.h"
#include "autograd/ops/pointwise.h"
#include "tasks/train/feature_cache.h"
#include "tests/tune_runs.h"

using namespace sesame;
using namespace sesame::testing;

TEST_CASE("kept features of a frozen trunk give what computing them each time gives") {
  const Folder folder;
  for (const auto& [pool, features] : {std::pair{"cls", "last"},
                                       {"cls", "mix"},
                                       {"mean", "mix"},
                                       {"max", "mix"},
                                       {"attention", "last"},
                                       {"mean", "concat:2"},
                                       {"cls", "concat:2"}}) {
    CAPTURE(pool);
    CAPTURE(features);
    std::vector<std::vector<Json>> answers;
    for (const std::int64_t megabytes : {0, 1}) {
      RunOptions o = folder.options("classify", fmt::format("{}-{}-{}", pool, features, megabytes));
      o.tune = "frozen";
      o.pool = pool;
      o.features = features;
      o.cache_mb = megabytes;
      const Json result = Json::parse(fine_tune(o));
      CHECK(result.contains("layer_weights") == (std::string(features) == "mix"));
      answers.push_back(predictions({o.trainer.out}, o.train));
    }
    CHECK(largest_difference(answers[0], answers[1]) < 1e-5);
  }
}

TEST_CASE("kept features of the other tasks give what computing them each time gives") {
  const Folder folder;
  for (const std::string task : {"tag", "extract", "generate"}) {
    for (const std::string features : {"last", "mix"}) {
      CAPTURE(task);
      CAPTURE(features);
      std::vector<double> losses;
      std::vector<Json> dev;
      for (const std::int64_t megabytes : {0, 1}) {
        RunOptions o = folder.options(task, fmt::format("{}-{}-{}", task, features, megabytes));
        o.tune = "frozen";
        o.features = features;
        o.cache_mb = megabytes;
        const Json result = Json::parse(fine_tune(o));
        losses.push_back(result["final_loss"]);
        dev.push_back(result["dev"]);
      }
      CHECK(losses[0] == doctest::Approx(losses[1]).epsilon(1e-5));
      for (const auto& [name, value] : dev[0].items()) {
        CAPTURE(name);
        CHECK(dev[1][name].get<double>() == doctest::Approx(value.get<double>()).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("the cache computes each example once, and what does not fit each time") {
  int computed = 0;
  const FeatureCache::Compute compute = [&](std::span<const std::int64_t> some) {
    TrunkRows rows;
    std::vector<float> values;
    for (const std::int64_t i : some) {
      ++computed;
      for (std::int64_t r = 0; r < i; ++r) values.push_back(static_cast<float>(10 * i + r));
      rows.counts.push_back(i);
    }
    const Tensor x = Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1});
    rows.states = {x, affine(x, 2, 0)};
    return rows;
  };
  const std::vector<std::int64_t> first = {2, 0}, second = {0, 1, 2};
  for (const std::int64_t limit : {1 << 20, 8, 0}) {
    CAPTURE(limit);
    computed = 0;
    FeatureCache cache(limit);
    cache.rows(first, compute);
    const TrunkRows rows = cache.rows(second, compute);
    CHECK(rows.counts == std::vector<std::int64_t>{0, 1, 2});
    CHECK(rows.states[1].to_vector<float>() == std::vector<float>{20, 40, 42});
    CHECK(cache.bytes() <= limit);
    CHECK(computed == (limit > 100 ? 3 : limit == 8 ? 4 : 5));
  }
}

TEST_CASE("kept features take the memory that they are counted for") {
  // The trunk's temporaries leave large free blocks behind, which small tensors would be put on.
  FeatureCache cache(64 << 20);
  const std::int64_t rows_each = 100, width = 256;
  release_cached_memory();
  const std::size_t before = allocator_stats().bytes_in_use;
  for (std::int64_t first = 0; first < 320; first += 32) {
    std::vector<std::int64_t> names(32);
    std::iota(names.begin(), names.end(), first);
    cache.rows(names, [&](std::span<const std::int64_t> some) {
      std::vector<Tensor> wide;
      for (std::size_t i = 0; i < some.size(); ++i) wide.push_back(Tensor::zeros({3 * rows_each, width}));
      wide.clear();
      const auto all = static_cast<std::int64_t>(some.size()) * rows_each;
      return TrunkRows{.states = {Tensor::zeros({all, width})},
                       .counts = std::vector<std::int64_t>(some.size(), rows_each)};
    });
  }
  CHECK(cache.bytes() == 320 * rows_each * width * 4);
  const auto taken = static_cast<double>(allocator_stats().bytes_in_use - before);
  CHECK(taken < 1.6 * static_cast<double>(cache.bytes()));
}
