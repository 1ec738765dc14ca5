#include "autograd/comm/gradient_sum.h"

#include <algorithm>
#include <cstring>

#include "autograd/check.h"

namespace sesame {
namespace {

std::int64_t bytes_of(const Tensor& leaf) {
  return leaf.numel() * static_cast<std::int64_t>(dtype_size(leaf.dtype()));
}

}  // namespace

GradientSum::GradientSum(Comm& comm, std::vector<Tensor> leaves, std::int64_t bucket_bytes,
                         DeviceSum* devices)
    : comm_(comm), devices_(devices), leaves_(std::move(leaves)), bucket_bytes_(bucket_bytes) {
  if (comm_.size() == 1) return;
  std::vector<std::size_t> order;  // backward comes to the last first
  for (std::size_t i = leaves_.size(); i-- > 0;) {
    const Tensor& leaf = leaves_[i];
    SESAME_CHECK(leaf.device() == leaves_[0].device() && (devices_ != nullptr || leaf.device() == Device{}),
                 "ranks", "gradients on {} need a DeviceSum, and all on one device", leaf.device().name());
    SESAME_CHECK(leaf.dtype() == leaves_[0].dtype() &&
                     (leaf.dtype() == DType::Float32 || leaf.dtype() == DType::Float64),
                 "ranks", "gradients of {} cannot be summed", dtype_name(leaf.dtype()));
    number_of_[leaf.id()] = i;
    order.push_back(i);
  }
  make_buckets(order);
}

void GradientSum::make_buckets(const std::vector<std::size_t>& order) {
  buckets_.clear();
  bucket_of_.assign(leaves_.size(), 0);
  bool open = false;
  for (const std::size_t i : order) {
    const bool alone = bytes_of(leaves_[i]) >= bucket_bytes_;
    if (!open || alone) buckets_.emplace_back();
    Bucket& bucket = buckets_.back();
    bucket.leaves.push_back(i);
    bucket.numel += leaves_[i].numel();
    ++bucket.waiting;
    bucket_of_[i] = buckets_.size() - 1;
    open = !alone && bucket.numel * static_cast<std::int64_t>(dtype_size(leaves_[i].dtype())) < bucket_bytes_;
  }
  for (Bucket& bucket : buckets_) {
    const bool alone = bytes_of(leaves_[bucket.leaves[0]]) >= bucket_bytes_;
    if (!alone) bucket.values = Tensor::empty({bucket.numel}, leaves_[bucket.leaves[0]].options());
  }
}

// All ranks take the order in which rank 0's first pass completed the gradients: a leaf that no pass comes to
// (an unused pooler) would hold up all buckets behind its own.
void GradientSum::order_as_seen() {
  ordered_ = true;
  std::vector<std::uint64_t> order(seen_.begin(), seen_.end());
  for (std::size_t i = leaves_.size(); i-- > 0;) {
    if (std::find(seen_.begin(), seen_.end(), i) == seen_.end()) order.push_back(i);
  }
  comm_.broadcast(std::as_writable_bytes(std::span(order)));
  make_buckets({order.begin(), order.end()});
}

void GradientSum::ready(const Tensor& leaf) {
  const auto found = number_of_.find(leaf.id());
  if (found == number_of_.end() || !leaf.grad().defined()) return;
  if (!ordered_) seen_.push_back(found->second);
  --buckets_[bucket_of_[found->second]].waiting;
  start_next();
  comm_.progress();
}

void GradientSum::start_next() {
  while (next_ < buckets_.size() && buckets_[next_].waiting == 0) start(buckets_[next_++]);
}

void GradientSum::start(Bucket& bucket) {
  if (!bucket.values.defined()) {
    Tensor& leaf = leaves_[bucket.leaves[0]];
    if (!leaf.grad().defined()) leaf.set_grad(Tensor::zeros(leaf.shape(), leaf.options()));
    Tensor grad = leaf.grad();
    if (!grad.is_contiguous()) leaf.set_grad(grad = grad.contiguous());
    start_sum(bucket, grad);
    return;
  }
  std::int64_t begin = 0;
  for (const std::size_t i : bucket.leaves) {
    const Tensor& leaf = leaves_[i];
    Tensor place = bucket.values.alias(leaf.shape(), contiguous_strides(leaf.shape()), begin);
    if (leaf.grad().defined()) {
      place.copy_(leaf.grad());
    } else {
      place.fill_(0);
    }
    begin += leaf.numel();
  }
  start_sum(bucket, bucket.values);
}

void GradientSum::start_sum(Bucket& bucket, Tensor& values) {
  const auto count = static_cast<std::size_t>(values.numel());
  if (devices_ != nullptr) {
    devices_->start(values);
  } else if (values.dtype() == DType::Float64) {
    bucket.sum = comm_.start_sum(std::span(values.mutable_data<double>(), count));
  } else {
    bucket.sum = comm_.start_sum(std::span(values.mutable_data<float>(), count));
  }
}

// Gradients become views of the bucket: nothing is copied back.
void GradientSum::take_back(Bucket& bucket, std::span<const double> owners) {
  comm_.wait(bucket.sum);
  std::int64_t begin = 0;
  for (const std::size_t i : bucket.leaves) {
    Tensor& leaf = leaves_[i];
    if (owners[i] == 0) {
      leaf.zero_grad();
    } else if (bucket.values.defined()) {
      leaf.set_grad(bucket.values.alias(leaf.shape(), contiguous_strides(leaf.shape()), begin));
    }
    begin += leaf.numel();
  }
  bucket.waiting = bucket.leaves.size();
}

void GradientSum::finish(std::span<double> numbers) {
  if (comm_.size() == 1) return;
  const NoGradGuard no_grad;
  std::vector<double> tail(numbers.begin(), numbers.end());
  for (const Tensor& leaf : leaves_) tail.push_back(leaf.grad().defined() ? 1 : 0);
  while (next_ < buckets_.size()) start(buckets_[next_++]);
  Comm::Started started = comm_.start_sum(tail);
  comm_.wait(started);
  if (devices_ != nullptr) devices_->wait();
  std::copy_n(tail.begin(), numbers.size(), numbers.begin());
  for (Bucket& bucket : buckets_) take_back(bucket, std::span(tail).subspan(numbers.size()));
  next_ = 0;
  if (!ordered_) order_as_seen();
}

}  // namespace sesame
