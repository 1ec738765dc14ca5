// Times the ops of a transformer layer one by one, forward and backward.
#pragma once

#include <cstdint>

#include "autograd/tensor.h"
#include "models/bert/config.h"

namespace sesame {

// `rows` tokens in `batch` equal sequences; prints one line per op: milliseconds (minimum of `repeat`).
void bench_ops(std::int64_t rows, const BertConfig& config, std::int64_t batch, double dropout, int repeat,
               bool json, TensorOptions options);

}  // namespace sesame
