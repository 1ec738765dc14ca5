// Times a pretrained model on texts: loading, tokenising, embedding.
#pragma once

#include <string>

#include "autograd/tensor.h"

namespace sesame {

struct TextBenchOptions {
  std::string model, texts;  // directory; file with one text a line
  std::int64_t batch = 8;    // texts that are packed at a time
  int repeat = 5;
  bool embed = true;  // else only load and tokenise
  TensorOptions tensors;
  DType compute = DType::Float32;  // of the encoder's layers
};

struct TextBenchResult {
  double load_ms = 0;      // model and tokenizer, each time anew
  double tokenize_ms = 0;  // all texts, one thread
  double embed_ms = 0;     // all texts, from characters to the mean of each one's states; 0: not asked for
  std::int64_t texts = 0, tokens = 0;
};

// Minimum of `repeat` each, in turn.
TextBenchResult bench_texts(const TextBenchOptions& options);

}  // namespace sesame
