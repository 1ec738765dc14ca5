// Trains the layer of this project on made-up data: rays in eight directions, told apart whatever their
// length.
#include <sesame/autograd/ops/loss.h>
#include <sesame/autograd/ops/reduce.h>
#include <sesame/autograd/random.h>
#include <sesame/nn/optim/adamw.h>

#include <cmath>
#include <cstdio>
#include <vector>

#include "cosine_classifier.h"

namespace {

using sesame::Tensor;

constexpr std::int64_t kRows = 256, kWidth = 32, kClasses = 8;

struct Data {
  Tensor x;        // [kRows, kWidth]
  Tensor classes;  // [kRows] int64
};

// A direction per class, a random length and noise per row.
Data make_data(std::uint64_t seed) {
  sesame::RandomStream directions(1), random(seed);
  std::vector<float> centres(kClasses * kWidth), x;
  for (float& value : centres) value = static_cast<float>(directions.normal());
  std::vector<std::int64_t> classes;
  for (std::int64_t row = 0; row < kRows; ++row) {
    classes.push_back(row % kClasses);
    const double length = std::exp(2 * random.normal());
    for (std::int64_t i = 0; i < kWidth; ++i) {
      const double centre = centres[static_cast<std::size_t>(classes.back() * kWidth + i)];
      x.push_back(static_cast<float>(length * (centre + 0.8 * random.normal())));
    }
  }
  return {Tensor::from(x, {kRows, kWidth}), Tensor::from(classes)};
}

double accuracy(const outside::CosineClassifier& layer, const Data& data) {
  const sesame::NoGradGuard no_grad;
  const auto best = sesame::argmax(layer.forward(data.x), 1).to_vector<std::int64_t>();
  const auto wanted = data.classes.to_vector<std::int64_t>();
  int right = 0;
  for (std::size_t i = 0; i < best.size(); ++i) right += best[i] == wanted[i];
  return right / static_cast<double>(kRows);
}

}  // namespace

int main() {
  const Data train = make_data(2), test = make_data(3);
  outside::CosineClassifier layer(kWidth, kClasses);
  sesame::AdamW optimizer(layer.parameters());
  std::printf("%s", layer.describe().c_str());
  double first = 0, last = 0;
  for (int step = 0; step <= 100; ++step) {
    const Tensor loss = sesame::cross_entropy(layer.forward(train.x), train.classes);
    last = loss.item();
    if (step == 0) first = last;
    if (step % 20 == 0) std::printf("step %3d  loss %.4f\n", step, last);
    loss.backward();
    optimizer.step(0.05);
    layer.zero_grad();
  }
  const double right = accuracy(layer, test);
  std::printf("accuracy on new rays %.3f\n", right);
  return last < 0.2 * first && right > 0.9 ? 0 : 1;
}
