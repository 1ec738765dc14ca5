// Three linear layers on one input, as the tests of linear_joined take them.
#pragma once

#include "autograd/ops/matmul.h"
#include "tests/op_case.h"

namespace sesame::testing {

// Three layers of widths 4, 2 and 3.
inline Inputs three_layers(Draw& draw) {
  return {draw.normal({6, 5}), draw.normal({4, 5}), draw.normal({2, 5}), draw.normal({3, 5}),
          draw.normal({4}),    draw.normal({2}),    draw.normal({3})};
}

inline Tensor join_three(const Inputs& x) {
  return linear_joined(x[0], {x[1], x[2], x[3]}, {x[4], x[5], x[6]});
}

// The same values with the weights one behind the other in one storage, and the biases in another.
inline Inputs in_one_storage(const Inputs& x) {
  Inputs out = {x[0]};
  for (const auto& [first, width] : {std::pair{1, std::int64_t{5}}, std::pair{4, std::int64_t{1}}}) {
    const Tensor memory = Tensor::empty({9 * width}, x[0].options());
    std::int64_t offset = 0;
    for (int i = first; i < first + 3; ++i) {
      const Tensor& part = x[static_cast<std::size_t>(i)];
      out.push_back(memory.alias(part.shape(), contiguous_strides(part.shape()), offset).copy_(part));
      offset += part.numel();
    }
  }
  return out;
}

}  // namespace sesame::testing
