// What is on its way between the host and a device: numbers, uploads, and the errors of checks that nobody
// waited for. On the CPU all of it happens at once.
#include <doctest/doctest.h>

#include <numeric>

#include "autograd/later.h"
#include "autograd/ops/crf.h"
#include "autograd/ops/index_check.h"
#include "autograd/ops/loss.h"
#include "autograd/ops/rows.h"
#include "tests/devices.h"
#include "tests/temporary.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Ints = std::vector<std::int64_t>;

// The error of an action, whether it comes at once or when the device is waited for.
template <class Action>
std::string error_in_time(Device device, const Action& action) {
  const std::string at_once = error_of(action);
  CHECK_MESSAGE(at_once.empty() == !(device == Device{}), at_once);
  return at_once.empty() ? error_of([&] { synchronize(device); }) : at_once;
}

}  // namespace

TEST_CASE("Later gives the values that a tensor had when it was made") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    Tensor x = Tensor::from(std::vector<float>{1, 2.5, -3}, device),
           one = Tensor::scalar(7, {DType::Float64, device});
    Later first(x), number(one), dropped(x);
    CHECK(first.here() == (device == Device{}));
    x.fill_(9);
    Later second(x);
    dropped = Later();
    Later third(std::move(second));
    CHECK(third.values() == std::vector<double>(3, 9));
    CHECK(first.values() == std::vector<double>{1, 2.5, -3});
    CHECK(first.here());
    CHECK(first.values() == std::vector<double>{1, 2.5, -3});  // again
    CHECK(number.value() == 7);
    CHECK(error_of([&] { third.value(); }) == "[later] 3 numbers are on their way: value() is for one");
    CHECK(Later(Tensor::empty({0}, {DType::Float32, device})).values().empty());
    CHECK(Later(Tensor::from(Ints{-4, 5}, device)).values() == std::vector<double>{-4, 5});
  }
}

TEST_CASE("uploads: the host's memory may change at once, whatever the size") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    std::vector<Tensor> copies;
    std::vector<Ints> wanted;
    // In all several times the pinned memory that uploads go through; the largest is more than all of it.
    for (const std::size_t n : {1, 3, 1000, 131072, 131073, 7, 400000, 2500000, 5, 100000, 200001}) {
      Ints values(n);
      std::iota(values.begin(), values.end(), static_cast<std::int64_t>(n) << 32);
      wanted.push_back(values);
      copies.push_back(Tensor::from(values, device));
      std::fill(values.begin(), values.end(), -1);
    }
    for (std::size_t i = 0; i < copies.size(); ++i) CHECK((copies[i].to_vector<std::int64_t>() == wanted[i]));
    Tensor rates = Tensor::zeros({2}, {DType::Float64, device});
    write_values(rates, {1, 2});
    const Tensor before = rates.clone();
    write_values(rates, {3, 4});
    CHECK(before.to_vector<double>() == std::vector<double>{1, 2});
    CHECK(rates.to_vector<double>() == std::vector<double>{3, 4});
    CHECK(error_of([&] { write_values(rates, {1}); }) ==
          "[write_values] 1 values do not fill a float64 tensor (2,)");
  }
}

TEST_CASE("check_indices names the first offence of the first check") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    Ints values(40000, 3);
    values[39000] = 11;
    values[17] = -1;
    values[5] = -100;
    const Tensor ids = Tensor::from(values, device), good = Tensor::from(Ints{0, 9}, device);
    const auto check = [&](const Tensor& some, std::optional<std::int64_t> ignored = {}) {
      check_indices("test", "{value} at {row}, not below {limit}", some, 10, ignored);
    };
    check(good);
    check(Tensor::empty({0}, {DType::Int64, device}));
    check(ids.slice(0, 18, 39000));
    synchronize(device);
    CHECK(error_in_time(device, [&] { check(ids); }) == "[test] -100 at 5, not below 10");
    CHECK(error_in_time(device, [&] { check(ids, -100); }) == "[test] -1 at 17, not below 10");
    CHECK(error_in_time(device, [&] {
            check(ids.slice(0, 18, 40000), -100);
            check(ids);
          }) == "[test] 11 at 38982, not below 10");
    synchronize(device);  // an error is thrown once
    check(good);
    CHECK(good.to_vector<std::int64_t>() == Ints{0, 9});
  }
}

TEST_CASE("ops leave out the rows of indices out of range, and the error comes with the next wait") {
  for (const Device device : devices()) {
    CAPTURE(device.name());
    const TensorOptions options{DType::Float32, device};
    Tensor table = Tensor::ones({4, 3}, options);
    const Tensor bad = Tensor::from(Ints{0, std::int64_t{1} << 40, -7, 3}, device),
                 rows = Tensor::ones({4, 3}, options);
    CHECK(error_in_time(device, [&] { gather_rows(table, bad); }) ==
          "[gather_rows] ids[1] is 1099511627776, outside of a table with 4 rows");
    CHECK(error_in_time(device, [&] { scatter_rows(rows, bad, 4); }) ==
          "[scatter_rows] ids[1] is 1099511627776, outside of a table with 4 rows");
    CHECK(error_in_time(device, [&] { write_rows(table, bad, rows); }) ==
          "[write_rows] ids[1] is 1099511627776, outside of a table with 4 rows");
    CHECK(table.to_vector<float>() == std::vector<float>(12, 1));
    CHECK(error_in_time(device, [&] {
            Tensor logits = Tensor::zeros({4, 3}, options);
            logits.set_requires_grad(true);
            cross_entropy(logits, bad, {.normalizer = 4}).backward();
          }) == "[cross_entropy] target 1099511627776 at row 1 is outside of [0, 3)");
    CHECK(error_in_time(device, [&] {
            const Tensor square = Tensor::zeros({3, 3}, options), edge = Tensor::zeros({3}, options);
            crf_nll(rows, bad, square, edge, edge, Segments({4}, {.device = device}), 1);
          }) == "[crf_nll] tag 1099511627776 is outside of [0, 3)");
    // Whoever reads a number learns of it.
    if (device == Device{}) continue;
    gather_rows(table, bad);
    CHECK(error_of([&] { table.to_vector<float>(); }).find("[gather_rows] ids[1]") == 0);
    Later later(table);
    gather_rows(table, bad);
    CHECK(error_of([&] {
            later.values();
            Later(table).values();
          }).find("[gather_rows] ids[1]") == 0);
  }
}
