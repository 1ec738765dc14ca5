#include "tools/common/random_values.h"

#include <algorithm>
#include <vector>

#include "autograd/random.h"

namespace sesame {

Tensor random_values(const Shape& shape, TensorOptions options) {
  static const std::vector<float> drawn = [] {
    RandomStream random(1);
    std::vector<float> values(std::size_t{1} << 20);
    for (float& value : values) value = static_cast<float>(2 * random.uniform() - 1);
    return values;
  }();
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < values.size(); i += drawn.size()) {
    std::copy_n(drawn.begin(), std::min(drawn.size(), values.size() - i), values.begin() + i);
  }
  return Tensor::from(values, shape).to(options.device).to(options.dtype);
}

}  // namespace sesame
