// Plain BLAS products on the shapes of a transformer layer: what the speed of a model is held against.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/tensor.h"
#include "models/bert/config.h"

namespace sesame {

class GemmBench {
 public:
  // The products of one layer over `rows` tokens in the type of `options`: forward, and for `train` with both
  // gradients.
  GemmBench(const BertConfig& config, std::int64_t rows, bool train, TensorOptions options);

  // Runs each product once and keeps its shortest time. Called between the steps of a model, so that both
  // meet the machine at the same speed.
  void run();
  // Of all products together, at their shortest times.
  double gflops() const;

 private:
  struct Product {
    std::int64_t m, n, k;
    bool transpose_a, transpose_b;
    double shortest = 1e30;  // ms
  };
  std::vector<Product> products_;
  TensorOptions options_;
  Tensor a_, b_, c_;  // large enough for each product
};

}  // namespace sesame
