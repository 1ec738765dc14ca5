// Embedding: rows of a table picked by id.
#pragma once

#include "nn/module.h"

namespace sesame {

class Embedding : public Module {
 public:
  // Zero until it is initialised (nn/init.h) or loaded: drawing a vocabulary that a checkpoint overwrites
  // costs time.
  Embedding(std::int64_t count, std::int64_t width);

  // ids [T] int64 in [0, count) -> [T, width].
  Tensor forward(const Tensor& ids) const;

  Tensor weight;  // [count, width]
};

}  // namespace sesame
