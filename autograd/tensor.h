// Tensor: a cheap handle to shared memory with a shape, strides and a place in the recorded graph.
// Copying a Tensor shares everything; clone() copies the numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/backend/kernel_table.h"
#include "autograd/device.h"
#include "autograd/dtype.h"
#include "autograd/shape.h"

namespace sesame {

class Node;

// Reference-counted memory. Views share it; `version` counts in-place writes so that the graph notices when a
// value it saved has been changed (node.h).
struct Storage {
  Storage(Device device, std::size_t bytes);
  // Borrowed memory (a mapped file): `owner` keeps it alive, it is never written to.
  Storage(const void* data, std::size_t bytes, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device device;
  std::size_t bytes = 0;
  void* data = nullptr;
  std::uint32_t version = 0;
  std::shared_ptr<const void> owner;  // set for borrowed memory
  // The float32 numbers once more in bfloat16, as they were at version `twin_version` (precision.h).
  std::shared_ptr<Storage> twin;
  std::uint32_t twin_version = 0;
};

struct TensorOptions {
  DType dtype = DType::Float32;
  Device device = {};
};

class Tensor {
 public:
  // An undefined tensor; most calls on it throw.
  Tensor() = default;

  // --- making
  // ---------------------------------------------------------------------------------------------------
  static Tensor empty(const Shape& shape, TensorOptions options = {});  // uninitialised
  static Tensor full(const Shape& shape, double value, TensorOptions options = {});
  static Tensor zeros(const Shape& shape, TensorOptions options = {}) { return full(shape, 0, options); }
  static Tensor ones(const Shape& shape, TensorOptions options = {}) { return full(shape, 1, options); }
  static Tensor scalar(double value, TensorOptions options = {}) { return full({}, value, options); }
  // From values in row-major order; throws when their number does not match `shape`.
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape, Device device = {}) {
    return from_memory(values.data(), values.size(), shape, {dtype_of<T>, device});
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, Device device = {}) {
    return from(values, Shape{static_cast<std::int64_t>(values.size())}, device);
  }
  // A read-only tensor over memory of someone else, kept alive by `owner`. In-place writes throw.
  static Tensor borrow(const void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner);

  // --- looking
  // --------------------------------------------------------------------------------------------------
  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  const Strides& strides() const;  // in elements
  std::int64_t size(int axis) const { return shape()[axis]; }
  int dim() const { return shape().dim(); }
  std::int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  Device device() const;
  TensorOptions options() const { return {dtype(), device()}; }
  bool is_contiguous() const;
  // No other handle of this tensor, and `tensors` in all share its memory, views among them.
  bool is_unique(long tensors = 1) const;
  const std::shared_ptr<Storage>& storage() const;
  std::int64_t offset() const;  // of the first element, in elements
  std::uint32_t version() const { return storage()->version; }
  // Host memory of a contiguous CPU tensor of type T. The non-const form counts as an in-place write.
  template <class T>
  const T* data() const {
    return static_cast<const T*>(host_data(dtype_of<T>, false));
  }
  template <class T>
  T* mutable_data() {
    return static_cast<T*>(host_data(dtype_of<T>, true));
  }
  // Copies to the host in row-major order, from any device; the element type must match.
  template <class T>
  std::vector<T> to_vector() const {
    std::vector<T> values(static_cast<std::size_t>(numel()));
    copy_to_host(values.data(), dtype_of<T>);
    return values;
  }
  // The value of a tensor with one element.
  double item() const;
  View view() const;  // what kernels get

  // --- same numbers, other form (recorded in the graph)
  // -------------------------------------------------------------
  Tensor reshape(const Shape& shape) const;  // one size may be -1; copies only when it must
  Tensor transpose(int a, int b) const;
  Tensor permute(const std::vector<int>& order) const;
  Tensor slice(int axis, std::int64_t begin, std::int64_t end) const;  // a view of [begin, end)
  Tensor expand(const Shape& shape) const;                             // broadcast without copying
  Tensor contiguous() const;
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;

  // --- outside the graph
  // ----------------------------------------------------------------------------------------
  Tensor clone() const;   // own contiguous memory
  Tensor detach() const;  // shares memory, no history
  // A view of the same storage without history; checks that it stays inside.
  Tensor alias(const Shape& shape, const Strides& strides, std::int64_t offset) const;
  // In-place writes: only under NoGradGuard or on tensors without history. They raise the version.
  Tensor& copy_(const Tensor& source);
  Tensor& fill_(double value);
  Tensor& add_(const Tensor& other, double alpha = 1);  // this += alpha * other, equal shapes
  // Throws unless the tensor may be written in place; raises the version.
  void begin_write(const char* op);

  // --- autograd
  // -------------------------------------------------------------------------------------------------
  bool requires_grad() const;  // is a leaf that wants a gradient, or was computed from one
  // Only for leaves (throws otherwise). Floating types only.
  Tensor& set_requires_grad(bool value);
  bool is_leaf() const { return grad_fn() == nullptr; }
  const std::shared_ptr<Node>& grad_fn() const;
  const Tensor& grad() const;  // undefined before the first backward
  void set_grad(const Tensor& grad);
  void zero_grad() { set_grad(Tensor()); }
  // Computes gradients of this scalar for all leaves it came from (engine.h).
  void backward() const;

  // Identity of the handle's target: equal for copies of one tensor.
  const void* id() const { return impl_.get(); }

 private:
  friend class Node;
  friend Tensor record_output(Tensor out, std::shared_ptr<Node> node);
  friend Tensor bfloat16_twin(const Tensor& parameter);
  struct Impl;

  static Tensor from_memory(const void* values, std::size_t count, const Shape& shape, TensorOptions options);
  static Tensor make(std::shared_ptr<Storage> storage, const Shape& shape, const Strides& strides,
                     std::int64_t offset, DType dtype);
  void* host_data(DType dtype, bool writing) const;
  void copy_to_host(void* host, DType dtype) const;
  const Impl& impl() const;
  Impl& impl();

  std::shared_ptr<Impl> impl_;
};

// No graph is recorded while one of these lives on the thread.
class NoGradGuard {
 public:
  NoGradGuard();
  ~NoGradGuard();
  NoGradGuard(const NoGradGuard&) = delete;
  NoGradGuard& operator=(const NoGradGuard&) = delete;

 private:
  bool previous_;
};

bool grad_enabled();

}  // namespace sesame
