// Mixed precision: twins of parameters, and linear layers that read them.
#include <cstdlib>

#include "autograd/ops/matmul.h"
#include "autograd/precision.h"
#include "tests/three_layers.h"

using namespace sesame;
using namespace sesame::testing;

// The bfloat16 twins of parameters are the same on every device.
TEST_CASE("twins") {
  Draw draw(21);
  const Inputs layers = as_leaves(in_one_storage(as_leaves(three_layers(draw), DType::Float32, {}, false)),
                                  DType::Float32, {}, true);
  Tensor first = layers[1];
  const auto rounded = [](const Tensor& x) { return doubles(x.detach().to(DType::BFloat16)); };
  CHECK(current_twin(first) == nullptr);
  const Tensor twin = bfloat16_twin(first), neighbour = bfloat16_twin(layers[2]);
  CHECK(twin.dtype() == DType::BFloat16);
  CHECK_FALSE(twin.requires_grad());
  CHECK(doubles(twin) == rounded(first));
  CHECK(doubles(neighbour) == rounded(layers[2]));
  CHECK(neighbour.storage() == twin.storage());
  CHECK(neighbour.offset() == layers[2].offset());
  CHECK(twin.storage()->bytes * 2 == first.storage()->bytes);
  CHECK(current_twin(layers[2]) == neighbour.view().data);
  CHECK(doubles(bfloat16_twin(first.transpose(0, 1))) == rounded(first.transpose(0, 1)));

  SUBCASE("a write makes them old") {
    const SavedTensor saved(twin);
    {
      NoGradGuard guard;
      first.fill_(3.0078125);
    }
    CHECK(current_twin(first) == nullptr);
    CHECK(bfloat16_twin(first).storage() == twin.storage());
    CHECK(doubles(twin) == rounded(first));
    CHECK(error_text([&] { saved.unpack("linear"); }).find("changed in place") != std::string::npos);
  }
  SUBCASE("a writer may write both") {
    void* memory = current_twin(first);
    REQUIRE(memory == twin.view().data);
    NoGradGuard guard;
    first.fill_(2);
    for (int i = 0; i < first.numel(); ++i) static_cast<std::uint16_t*>(memory)[i] = 0x4000;  // 2
    const std::uint32_t before = twin.version();
    twin_written(first);
    CHECK(twin.version() > before);
    CHECK(current_twin(first) == memory);
    CHECK(doubles(bfloat16_twin(first)) == doubles(first));
    CHECK(doubles(bfloat16_twin(layers[2])) == rounded(layers[2]));
  }
}

TEST_CASE("twins of borrowed memory, and how long they live") {
  const auto values = std::make_shared<std::vector<float>>(std::vector<float>{1, 2.5f, -3, 0.1f});
  Tensor borrowed = Tensor::borrow(values->data(), {4}, DType::Float32, values);
  std::weak_ptr<Storage> twin = bfloat16_twin(borrowed).storage();
  CHECK(doubles(bfloat16_twin(borrowed)) == doubles(borrowed.to(DType::BFloat16)));
  CHECK_FALSE(twin.expired());
  borrowed = Tensor();
  CHECK(twin.expired());
  CHECK(error_text([] { bfloat16_twin(Tensor::ones({2}, {DType::Float64})); }).find("only float32") !=
        std::string::npos);
  const Tensor single = Tensor::ones({2});
  CHECK(in_type_of(Tensor::ones({2}), single).id() == single.id());
  CHECK(single.storage()->twin == nullptr);
  CHECK_FALSE(in_type_of(Tensor::ones({2}), Tensor()).defined());
}

namespace {

// float32 parameters and an input in bfloat16, on every device that computes in it, against float64 here, on
// the numbers as bfloat16 has them: signs of pre-activations are then the same.
void check_mixed(const OpFunction& function, const Inputs& inputs, const std::string& what) {
  const Inputs rounded = as_leaves(as_leaves(inputs, DType::BFloat16, {}, false), DType::Float64, {}, true);
  const OpResult wanted = evaluate(function, rounded, true);
  for (int index = 0; index < cuda::device_count(); ++index) {
    const Device device{Device::Type::Cuda, index};
    const auto there = [&](bool joined) {
      Inputs leaves = as_leaves(inputs, DType::Float32, device, false);
      if (joined) leaves = in_one_storage(leaves);
      leaves[0] = leaves[0].to(DType::BFloat16);
      for (Tensor& leaf : leaves) leaf.set_requires_grad(true);
      const OpResult result = evaluate(function, leaves, true);
      for (std::size_t i = 1; i < leaves.size(); ++i) CHECK(leaves[i].grad().dtype() == DType::Float32);
      CHECK(leaves[0].grad().dtype() == DType::BFloat16);
      return result;
    };
    check_equal(there(false), wanted, 2e-2, what + ", bfloat16 and float32");
    check_equal(there(false), there(false), 0, what + ", bfloat16 and float32, again");
    if (inputs.size() == 7) check_equal(there(true), wanted, 2e-2, what + ", parameters side by side");
  }
}

void check_mixed_layers(std::int64_t rows) {
  Draw draw(static_cast<std::uint64_t>(rows));
  const Inputs odd = {draw.normal({rows, 7}), draw.normal({5, 7}), draw.normal({5})};
  const Inputs wide = {draw.normal({rows, 16}), draw.normal({24, 16}), draw.normal({24})};
  for (Activation activation : {Activation::None, Activation::Gelu, Activation::GeluTanh, Activation::Relu,
                                Activation::Tanh, Activation::Swish}) {
    CAPTURE(static_cast<int>(activation));
    const OpFunction layer = [=](const Inputs& x) {
      return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), activation);
    };
    check_mixed(layer, odd, "odd sizes");
    check_mixed(layer, wide, "wide");
    check_mixed(layer, {wide[0], wide[1]}, "no bias");
  }
  check_mixed(join_three, three_layers(draw), "joined");
}

}  // namespace

TEST_CASE("mixed precision: bfloat16 inputs give float32 parameters float32 gradients") {
  check_mixed_layers(9);
  check_mixed_layers(131);
}

// Products whose epilogues are refused: the software device does where this variable is set.
TEST_CASE("without epilogues") {
  setenv("SESAME_EMULATED_NO_EPILOGUE", "1", 1);
  check_mixed_layers(11);
  unsetenv("SESAME_EMULATED_NO_EPILOGUE");
}

// Without a graph nothing is kept, and the activation may be in the product.
TEST_CASE("layers that are not recorded give the same") {
  Draw draw(31);
  const Inputs inputs = {draw.normal({19, 16}), draw.normal({24, 16}), draw.normal({24})};
  for (Activation activation : {Activation::None, Activation::Gelu, Activation::GeluTanh, Activation::Relu}) {
    const OpFunction layer = [=](const Inputs& x) { return linear(x[0], x[1], x[2], activation); };
    const OpResult wanted = evaluate(layer, inputs, false);
    check_equal(evaluate(layer, as_leaves(inputs, DType::Float32, {}, false), false), wanted, 1e-5, "here");
    for (int index = 0; index < cuda::device_count(); ++index) {
      const Device device{Device::Type::Cuda, index};
      check_equal(evaluate(layer, as_leaves(inputs, DType::Float32, device, false), false), wanted, 1e-5,
                  device.name());
      check_equal(evaluate(layer, as_leaves(inputs, DType::BFloat16, device, false), false), wanted, 2e-2,
                  device.name() + ", bfloat16");
    }
  }
}
