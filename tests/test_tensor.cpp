#include <doctest/doctest.h>

#include <limits>

#include "autograd/ops/pointwise.h"
#include "autograd/tensor.h"
#include "tests/op_case.h"

using namespace sesame;
using namespace sesame::testing;

namespace {

using Floats = std::vector<float>;
using Ints = std::vector<std::int64_t>;

Tensor counting(const Shape& shape, DType dtype = DType::Float32) {
  Ints values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i);
  return Tensor::from(values, shape).to(dtype);
}

}  // namespace

TEST_CASE("making tensors") {
  CHECK(Tensor::zeros({2, 2}).to_vector<float>() == Floats{0, 0, 0, 0});
  CHECK(Tensor::full({3}, -2.5).to_vector<float>() == Floats{-2.5, -2.5, -2.5});
  CHECK(Tensor::scalar(7, {DType::Int32}).to_vector<std::int32_t>() == std::vector<std::int32_t>{7});
  CHECK(Tensor::ones({2}, {DType::UInt8}).to_vector<std::uint8_t>() == std::vector<std::uint8_t>{1, 1});
  CHECK(Tensor::from(Floats{1, 2, 3}).shape() == Shape{3});
  CHECK(Tensor::zeros({0, 4}).to_vector<float>().empty());
  CHECK(Tensor::scalar(3).dim() == 0);
  CHECK(Tensor::scalar(3).item() == 3);
  CHECK(Tensor::from(Ints{5}, Shape{1, 1}).item() == 5);
  CHECK(!Tensor().defined());
}

TEST_CASE("copies share, clones do not") {
  Tensor x = counting({2, 3});
  const Tensor shared = x, own = x.clone(), detached = x.detach();
  x.fill_(9);
  CHECK(shared.to_vector<float>()[0] == 9);
  CHECK(detached.to_vector<float>()[0] == 9);
  CHECK(own.to_vector<float>()[5] == 5);
  CHECK(shared.id() == x.id());
  CHECK(detached.id() != x.id());
}

TEST_CASE("views") {
  Tensor x = counting({2, 3, 4});
  CHECK(x.transpose(0, 2).shape() == Shape{4, 3, 2});
  CHECK(x.transpose(0, -1).storage() == x.storage());
  CHECK(x.permute({2, 0, 1}).to_vector<float>()[1] == 4);
  CHECK(x.slice(1, 1, 3).to_vector<float>() ==
        Floats{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(x.slice(2, 1, 1).numel() == 0);
  CHECK(x.reshape({6, -1}).shape() == Shape{6, 4});
  CHECK(x.reshape({24}).storage() == x.storage());
  CHECK(x.transpose(0, 1).reshape({24}).storage() != x.storage());
  CHECK(x.transpose(0, 1).reshape({24}).to_vector<float>()[4] == 12);
  CHECK(x.contiguous().id() == x.id());
  CHECK(x.transpose(0, 1).contiguous().is_contiguous());
  CHECK(Tensor::zeros({0, 3}).reshape({3, 0, 2}).shape() == Shape{3, 0, 2});

  const Tensor row = counting({3}).expand({2, 3});
  CHECK(row.to_vector<float>() == Floats{0, 1, 2, 0, 1, 2});
  CHECK(row.strides() == Strides{0, 1});

  Tensor part = x.slice(0, 1, 2);  // writing through a view
  part.fill_(-1);
  CHECK(x.to_vector<float>()[12] == -1);
  CHECK(x.to_vector<float>()[11] == 11);
}

TEST_CASE("copies between strides, with every permutation of three axes") {
  const Tensor x = counting({5, 37, 67});
  const Floats values = x.to_vector<float>();
  const std::vector<std::vector<int>> orders = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                                {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const auto& order : orders) {
    const Tensor permuted = x.permute(order);
    const Floats got = permuted.to_vector<float>();
    std::size_t n = 0, wrong = 0;
    std::int64_t at[3];
    for (at[order[0]] = 0; at[order[0]] < x.size(order[0]); ++at[order[0]]) {
      for (at[order[1]] = 0; at[order[1]] < x.size(order[1]); ++at[order[1]]) {
        for (at[order[2]] = 0; at[order[2]] < x.size(order[2]); ++at[order[2]]) {
          wrong += got[n++] != values[static_cast<std::size_t>((at[0] * 37 + at[1]) * 67 + at[2])];
        }
      }
    }
    CHECK(wrong == 0);
    Tensor back = Tensor::zeros(x.shape());  // strided destination
    back.permute(order).copy_(permuted.clone());
    CHECK(back.to_vector<float>() == values);
    CHECK(permuted.to(DType::Float64).to(DType::Int32).to(DType::Float32).to_vector<float>() == got);
  }
}

TEST_CASE("conversions") {
  const Tensor x = Tensor::from(std::vector<double>{0, 1, 2.75, 200, 3});
  for (DType dtype : {DType::Float32, DType::Float64, DType::BFloat16}) {
    CHECK(x.to(dtype).to(DType::Float64).to_vector<double>() == x.to_vector<double>());
  }
  for (DType dtype : {DType::Int32, DType::Int64, DType::UInt8}) {
    CHECK(x.to(dtype).to(DType::Float64).to_vector<double>() == std::vector<double>{0, 1, 2, 200, 3});
    CHECK(x.to(dtype).to(DType::BFloat16).to(dtype).to(DType::Int64).to_vector<std::int64_t>()[3] == 200);
  }
  // bfloat16 keeps 8 bits: to nearest, ties to even.
  const Tensor fine = Tensor::from(std::vector<float>{1.00390625f, 1.01171875f, 1.0f / 0.0f, -3.14159f});
  const Floats rounded = fine.to(DType::BFloat16).to(DType::Float32).to_vector<float>();
  CHECK(rounded == Floats{1.0f, 1.015625f, 1.0f / 0.0f, -3.140625f});
  const Tensor nan = Tensor::full({1}, std::numeric_limits<double>::quiet_NaN());
  CHECK(std::isnan(nan.to(DType::BFloat16).item()));
}

TEST_CASE("gradients of views, by the table of op rows") {
  const OpCase cases[] = {
      {.op = "reshape",
       .what = "split an axis",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 6})};
           },
       .function =
           [](const Inputs& x) {
             return x[0].reshape({2, 2, -1});
           },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 6})};
           },
       .zero_function =
           [](const Inputs& x) {
             return x[0].reshape({3, 0});
           }},
      {.op = "transpose",
       .what = "outer axes",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 2, 3})};
           },
       .function = [](const Inputs& x) { return x[0].transpose(0, -1); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 2, 3})};
           }},
      {.op = "permute",
       .what = "a cycle",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 2, 3})};
           },
       .function =
           [](const Inputs& x) {
             return x[0].permute({2, 0, 1});
           },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 0, 3})};
           }},
      {.op = "slice",
       .what = "middle of an axis",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 5})};
           },
       .function = [](const Inputs& x) { return x[0].slice(1, 1, 4); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 5})};
           }},
      {.op = "slice",
       .what = "overlapping parts",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 5})};
           },
       .function = [](const Inputs& x) { return x[0].slice(0, 0, 3) * x[0].slice(0, 1, 4); }},
      {.op = "expand",
       .what = "new and stretched axes",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({3, 1})};
           },
       .function =
           [](const Inputs& x) {
             return x[0].expand({2, 3, 4});
           },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({3, 1})};
           },
       .zero_function =
           [](const Inputs& x) {
             return x[0].expand({3, 0});
           }},
      {.op = "contiguous",
       .what = "after transpose",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 5})};
           },
       .function = [](const Inputs& x) { return x[0].transpose(0, 1).contiguous(); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 5})};
           }},
      {.op = "to",
       .what = "there and back",
       .inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({4, 5})};
           },
       .function = [](const Inputs& x) { return square(x[0]).to(DType::Float64); },
       .zero_inputs =
           [](Draw& draw) {
             return Inputs{draw.normal({0, 5})};
           }},
  };
  run_op_cases(cases);
}

TEST_CASE("versions count writes to the memory, also through views") {
  Tensor x = counting({4});
  CHECK(x.version() == 0);
  x.fill_(1);
  x.slice(0, 0, 2).add_(Tensor::ones({2}));
  x.mutable_data<float>()[3] = 5;
  x.copy_(Tensor::ones({4}));
  CHECK(x.version() == 4);
  CHECK(x.data<float>()[0] == 1);
  CHECK(x.version() == 4);
  CHECK(x.clone().version() == 0);
}

TEST_CASE("in-place arithmetic") {
  Tensor x = counting({2, 3});
  x.add_(Tensor::ones({2, 3}), -2);
  CHECK(x.to_vector<float>() == Floats{-2, -1, 0, 1, 2, 3});
  x.add_(counting({3, 2}).transpose(0, 1));
  CHECK(x.to_vector<float>() == Floats{-2, 1, 4, 2, 5, 8});
}

TEST_CASE("borrowed memory is read-only and kept alive") {
  auto owner = std::make_shared<Floats>(Floats{1, 2, 3, 4});
  const std::weak_ptr<Floats> watch = owner;
  Tensor x = Tensor::borrow(owner->data(), {2, 2}, DType::Float32, owner);
  owner.reset();
  CHECK(x.to_vector<float>() == Floats{1, 2, 3, 4});
  CHECK(add(x, x).to_vector<float>() == Floats{2, 4, 6, 8});
  const ErrorCase cases[] = {
      {"fill_", [&] { x.fill_(0); },
       "[fill_] the tensor (2, 2) is a read-only view of a mapped file: clone() it"},
      {"mutable_data", [&] { x.mutable_data<float>(); }, "read-only"},
      {"add_", [&] { x.transpose(0, 1).contiguous().slice(0, 0, 1), x.reshape({4}).add_(Tensor::ones({4})); },
       "[add_]"},
  };
  run_error_cases(cases);
  Tensor own = x.clone();
  own.fill_(0);
  x = Tensor();
  CHECK(watch.expired());
}

TEST_CASE("errors") {
  Tensor x = counting({2, 3}), leaf = Tensor::ones({2});
  leaf.set_requires_grad(true);
  const Tensor y = leaf * 2;
  const ErrorCase cases[] = {
      {"undefined", [] { Tensor().shape(); }, "[tensor] the tensor is undefined"},
      {"from",
       [] {
         Tensor::from(Floats{1, 2, 3}, {2, 2});
       },
       "[from] 3 values do not fill shape (2, 2)"},
      {"empty",
       [] {
         Tensor::empty({2, -1});
       },
       "[empty] sizes must not be negative, got (2, -1)"},
      {"empty",
       [] {
         const std::int64_t huge = std::int64_t{1} << 40;
         Tensor::empty({huge, huge});
       },
       "[empty] (1099511627776, 1099511627776) float32 needs more memory than there are addresses"},
      {"shape",
       [] {
         Tensor::empty({1, 1, 1, 1, 1, 1, 1});
       },
       "at most 6 axes"},
      {"data", [&] { x.data<double>(); }, "[data] the tensor holds float32, float64 was asked for"},
      {"data", [&] { x.transpose(0, 1).data<float>(); }, "[data] the tensor (3, 2) is not contiguous"},
      {"to_vector", [&] { x.to_vector<std::int64_t>(); }, "[to_vector] the tensor holds float32, int64"},
      {"item", [&] { x.item(); }, "[item] needs a tensor with one element, got (2, 3)"},
      {"reshape",
       [&] {
         x.reshape({4, 2});
       },
       "[reshape] (2, 3) with 6 elements does not fit shape (4, 2)"},
      {"reshape",
       [&] {
         x.reshape({-1, 4});
       },
       "[reshape] (2, 3) with 6 elements does not fit"},
      {"reshape",
       [&] {
         x.reshape({-1, -1});
       },
       "[reshape] only one size may be -1"},
      {"reshape",
       [&] {
         Tensor::zeros({0}).reshape({-1, 0});
       },
       "[reshape]"},
      {"permute", [&] { x.permute({0}); }, "[permute] 1 axes named for (2, 3)"},
      {"permute",
       [&] {
         x.permute({0, 0});
       },
       "[permute]"},
      {"transpose", [&] { x.transpose(0, 2); }, "axis 2 is out of range for (2, 3)"},
      {"slice", [&] { x.slice(1, 2, 4); }, "[slice] [2, 4) leaves axis 1 of (2, 3)"},
      {"slice", [&] { x.slice(1, 2, 1); }, "[slice]"},
      {"expand",
       [&] {
         x.expand({2, 4});
       },
       "[expand] shapes (2, 3) and (2, 4) do not broadcast"},
      {"expand", [&] { x.expand({3}); }, "[expand] (2, 3) cannot be expanded to (3,)"},
      {"alias", [&] { x.alias({7}, {1}, 0); }, "[alias]"},
      {"alias", [&] { x.alias({2}, {-1}, 0); }, "[alias]"},
      {"copy_",
       [&] {
         x.copy_(Tensor::ones({3, 2}));
       },
       "[copy_] shapes differ: destination (2, 3), source (3, 2)"},
      {"add_",
       [&] {
         x.add_(Tensor::ones({2, 3}, {DType::Float64}));
       },
       "[add_] got (2, 3) float32 and"},
      {"add_",
       [&] {
         x.transpose(0, 1).add_(Tensor::ones({3, 2}));
       },
       "[add_] the destination (3, 2) must be"},
      {"fill_", [&] { leaf.fill_(0); }, "[fill_] tensor (2,) takes part in the graph"},
      {"fill_", [&] { Tensor(y).fill_(0); }, "use NoGradGuard"},
      {"set_requires_grad", [&] { Tensor(y).set_requires_grad(true); }, "[set_requires_grad] only leaves"},
      {"set_requires_grad", [] { Tensor::ones({1}, {DType::Int64}).set_requires_grad(true); },
       "[set_requires_grad] int64 tensors have no gradient"},
      {"set_grad", [&] { leaf.set_grad(Tensor::ones({3})); },
       "[set_grad] gradient (3,) does not match tensor (2,)"},
      {"device",
       [&] {
         x.to(Device{Device::Type::Cuda, 99});
       },
       "CUDA"},
      {"device", [] { Device::parse("gpu"); }, "gpu"},
  };
  run_error_cases(cases);
}
