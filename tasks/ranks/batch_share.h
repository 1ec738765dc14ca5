// Evaluation and prediction on several ranks: each computes some of the batches that one rank would form, and
// all get the results of all, in order. The batches are the same, so the numbers are, to the last bit.
#pragma once

#include <cstddef>
#include <vector>

#include "autograd/comm/comm.h"

namespace sesame {

class BatchShare {
 public:
  explicit BatchShare(Comm& comm = world()) : comm_(comm) {}

  // Whether this rank computes the next batch; asked once for each.
  bool takes_next() {
    return next_++ % static_cast<std::size_t>(comm_.size()) == static_cast<std::size_t>(comm_.rank());
  }
  // The numbers of the batch taken last.
  void give(std::vector<double> numbers) { own_.push_back(std::move(numbers)); }
  // The numbers of all batches in order, on every rank. Every rank must call it.
  std::vector<std::vector<double>> all();
  // The same as one list.
  std::vector<double> all_joined();

 private:
  Comm& comm_;
  std::size_t next_ = 0;
  std::vector<std::vector<double>> own_;
};

}  // namespace sesame
