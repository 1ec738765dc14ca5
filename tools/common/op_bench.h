// Times the ops of a transformer layer one by one, forward and backward.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "autograd/tensor.h"
#include "models/bert/config.h"

namespace sesame {

struct OpBenchOptions {
  BertConfig config;  // its dropout is that of the ops, its vocabulary that of the embedding
  std::int64_t batch = 8, length = 128;
  int repeat = 5;
  bool json = false;
  std::string only;                                // ops whose name begins so
  std::vector<std::int64_t> lengths, head_widths;  // attention at each pair instead of the model's own
  std::int64_t heads = 12;                         // with head_widths
  TensorOptions tensors;                           // of parameters
  DType compute = DType::Float32;                  // of what the layers pass on
};

// Prints one line per op: milliseconds (minimum and, in JSON, median of `repeat`), and where they are counted
// the rates of arithmetic and of memory. Bytes are the least that must move: each input read once, each
// output written once. Attention counts 4 operations for each token, key and channel forward, 10 backward.
void bench_ops(const OpBenchOptions& options);

}  // namespace sesame
