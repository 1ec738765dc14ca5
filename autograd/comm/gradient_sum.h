// Data-parallel training: the gradients of one backward pass, summed over all ranks while the pass is still
// running (Li et al. 2020, "PyTorch Distributed", section 3.2). Small gradients travel together in buckets,
// large ones alone and in place.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "autograd/comm/comm.h"
#include "autograd/comm/device_sum.h"
#include "autograd/tensor.h"

namespace sesame {

class GradientSum {
 public:
  static constexpr std::int64_t kBucketBytes = 4 << 20;

  // `leaves` (the same on every rank, float32 or float64, all on one device) in about the order in which the
  // forward pass uses them. On another device than the CPU they need `devices`, which outlives this object.
  // Throws Error for others.
  GradientSum(Comm& comm, std::vector<Tensor> leaves, std::int64_t bucket_bytes = kBucketBytes,
              DeviceSum* devices = nullptr);

  // The gradient of this leaf is complete; others are ignored. For BackwardOptions::leaf_done of the last
  // pass of a step.
  void ready(const Tensor& leaf);
  // Sends the rest and waits for everything. Afterwards each leaf that had a gradient on some rank has the
  // sum over all of them, and the others have none. `numbers` are summed along. Every rank calls it once in a
  // step, with or without a pass before.
  void finish(std::span<double> numbers);

 private:
  struct Bucket {
    std::vector<std::size_t> leaves;
    std::int64_t numel = 0;
    std::size_t waiting = 0;  // leaves whose gradient is not complete
    Tensor values;            // [numel] side by side; undefined where the gradient itself is summed
    Comm::Started sum;
  };
  void make_buckets(const std::vector<std::size_t>& order);
  void order_as_seen();
  void start(Bucket& bucket);
  void start_sum(Bucket& bucket, Tensor& values);
  void start_next();
  void take_back(Bucket& bucket, std::span<const double> owners);

  Comm& comm_;
  DeviceSum* devices_;
  std::vector<Tensor> leaves_;
  std::unordered_map<const void*, std::size_t> number_of_;  // a leaf's id -> its place in leaves_
  std::int64_t bucket_bytes_;
  std::vector<Bucket> buckets_;         // sent in this order, the same on every rank
  std::vector<std::size_t> bucket_of_;  // of each leaf
  std::vector<std::size_t> seen_;       // leaves in the order in which the first pass completed them
  std::size_t next_ = 0;                // the bucket to send next
  bool ordered_ = false;
};

}  // namespace sesame
