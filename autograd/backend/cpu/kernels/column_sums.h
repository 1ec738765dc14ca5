// Sums of columns, gathered while a kernel walks over rows (bias and LayerNorm gradients). The rows are cut
// into blocks of fixed size, each with a partial sum of its own, added up in order at the end: the result
// does not depend on the number of threads, and two levels of addition lose less than one.
#pragma once

#include "autograd/backend/cpu/kernels/isa.h"

namespace sesame::cpu {
namespace SESAME_ISA {

template <class T>
class ColumnSums {
 public:
  // `count` sums of `cols` columns each; 0: only the division into blocks is used. Takes scratch slot 0 of
  // the calling thread.
  ColumnSums(int64_t rows, int64_t cols, int count)
      : rows_(rows), cols_(cols), count_(count), pitch_((cols + 15) / 16 * 16) {
    const int64_t floats = blocks() * count * pitch_;
    if (floats > 0) partials_ = static_cast<T*>(scratch(0, static_cast<size_t>(floats) * sizeof(T)));
  }

  int64_t blocks() const { return (rows_ + kRows - 1) / kRows; }
  int64_t begin(int64_t block) const { return block * kRows; }
  int64_t end(int64_t block) const { return (block + 1) * kRows < rows_ ? (block + 1) * kRows : rows_; }

  // The partial sum of this block, zeroed; null when there are no sums.
  T* start(int64_t block, int which) {
    if (partials_ == nullptr) return nullptr;
    T* partial = partials_ + (block * count_ + which) * pitch_;
    memset(partial, 0, static_cast<size_t>(cols_) * sizeof(T));
    return partial;
  }

  // out[cols] = sum over the blocks.
  void finish(int which, T* out) const {
    memset(out, 0, static_cast<size_t>(cols_) * sizeof(T));
    for (int64_t block = 0; block < blocks(); ++block) {
      const T* partial = partials_ + (block * count_ + which) * pitch_;
#pragma omp simd
      for (int64_t j = 0; j < cols_; ++j) out[j] += partial[j];
    }
  }

 private:
  static constexpr int64_t kRows = 32;
  int64_t rows_, cols_, count_, pitch_;
  T* partials_ = nullptr;
};

}  // namespace SESAME_ISA
}  // namespace sesame::cpu
