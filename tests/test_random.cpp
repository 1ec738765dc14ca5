#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <vector>

#include "autograd/check.h"
#include "autograd/random.h"

using namespace sesame;

using Words = std::array<std::uint32_t, 4>;

TEST_CASE("Philox4x32-10 known answers (Random123, kat_vectors)") {
  CHECK(philox({0, 0, 0, 0}, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffffffffffffu) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822u) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("dropout spec") {
  CHECK(!make_dropout(0, 1).active());
  CHECK(make_dropout(0, 1).scale == 1.0f);
  const DropoutSpec half = make_dropout(0.5, 42);
  CHECK(half.threshold == 0x80000000u);
  CHECK(half.scale == 2.0f);
  CHECK(half.threshold16 == 0x8000u);
  CHECK(half.scale16 == 2.0f);
  CHECK(half.key == 42);
  const DropoutSpec tenth = make_dropout(0.1, 1);
  CHECK(tenth.threshold / 4294967296.0 == doctest::Approx(0.1).epsilon(1e-9));
  CHECK(tenth.scale == doctest::Approx(1 / 0.9));
  CHECK(tenth.threshold16 == 6554u);  // 6553.6
  CHECK(tenth.scale16 == doctest::Approx(65536.0 / (65536 - 6554)));
  const DropoutSpec rare = make_dropout(1e-6, 1);  // too rare for 16 bits: attention keeps everything
  CHECK((rare.active() && rare.threshold16 == 0 && rare.scale16 == 1.0f));
  const DropoutSpec most = make_dropout(std::nextafter(1.0, 0.0), 1);  // must not wrap to "keep everything"
  CHECK(most.threshold == 0xffffffffu);
  CHECK(std::isfinite(most.scale));
  CHECK(most.threshold16 == 0xffffu);
  CHECK(most.scale16 == 65536.0f);
  for (double p : {1.0, -0.1, 1.5, std::nan("")}) CHECK_THROWS_AS(make_dropout(p, 1), Error);
}

TEST_CASE("keys") {
  std::set<std::uint64_t> keys;
  for (std::uint64_t a = 0; a < 100; ++a) {
    for (std::uint64_t b = 0; b < 100; ++b) keys.insert(mix_key(mix_key(0, a), b));
  }
  CHECK(keys.size() == 10000);  // also (a, b) differs from (b, a)
  CHECK(hash_text("") == 0xcbf29ce484222325u);
  CHECK(hash_text("foobar") == 0x85944171f73967e8u);  // FNV-1a, 64 bits
}

TEST_CASE("RandomStream repeats and is uniform") {
  RandomStream a(7), b(7), c(8);
  std::vector<double> first, second, third;
  for (int i = 0; i < 100; ++i) {
    first.push_back(a.uniform());
    second.push_back(b.uniform());
    third.push_back(c.uniform());
  }
  CHECK(first == second);
  CHECK(first != third);

  constexpr int draws = 200000, bins = 20;
  RandomStream random(123);
  std::vector<int> counts(bins, 0);
  for (int i = 0; i < draws; ++i) {
    const double u = random.uniform();
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    ++counts[static_cast<std::size_t>(u * bins)];
  }
  double chi2 = 0;
  for (int count : counts) chi2 += std::pow(count - draws / bins, 2) / (draws / bins);
  CHECK(chi2 < 43.8);  // 19 degrees of freedom, one in a thousand
}

TEST_CASE("normals") {
  RandomStream random(5);
  double sum = 0, squares = 0, fourth = 0;
  constexpr int draws = 200000;
  for (int i = 0; i < draws; ++i) {
    const double x = random.normal();
    REQUIRE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  CHECK(std::abs(sum / draws) < 0.01);
  CHECK(squares / draws == doctest::Approx(1).epsilon(0.01));
  CHECK(fourth / draws == doctest::Approx(3).epsilon(0.03));
}

TEST_CASE("below is unbiased and stays below") {
  RandomStream random(9);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  double chi2 = 0;
  for (int count : counts) chi2 += std::pow(count - 10000, 2) / 10000.0;
  CHECK(chi2 < 22.5);  // 6 degrees of freedom, one in a thousand
  for (int i = 0; i < 10; ++i) CHECK(random.below(1) == 0);
  CHECK(random.below(UINT64_MAX) < UINT64_MAX);
  CHECK_THROWS_AS(random.below(0), Error);
}

TEST_CASE("random scopes nest and name seed and step") {
  CHECK(RandomScope::current() == nullptr);
  std::uint64_t key = 0, serial = 0;
  {
    const RandomScope outer(1, 2);
    key = outer.key();
    serial = outer.serial();
    {
      const RandomScope inner(1, 3);
      CHECK(RandomScope::current() == &inner);
      CHECK(inner.key() != outer.key());
    }
    CHECK(RandomScope::current() == &outer);
  }
  CHECK(RandomScope::current() == nullptr);
  const RandomScope again(1, 2), swapped(2, 1);
  CHECK(again.key() == key);
  CHECK(again.serial() != serial);
  CHECK(swapped.key() != key);
}
