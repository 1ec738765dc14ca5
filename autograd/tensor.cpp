#include "autograd/tensor.h"

#include <algorithm>

#include "autograd/allocator.h"
#include "autograd/backend/dispatch.h"
#include "autograd/check.h"
#include "autograd/engine.h"
#include "autograd/node.h"

namespace sesame {

struct Tensor::Impl {
  std::shared_ptr<Storage> storage;
  Shape shape;
  Strides strides;
  std::int64_t offset = 0;
  DType dtype = DType::Float32;
  bool requires_grad = false;
  std::shared_ptr<Node> grad_fn;
  Tensor grad;
};

namespace {

thread_local bool recording = true;

const Tensor undefined_tensor;
const std::shared_ptr<Node> no_node;

}  // namespace

NoGradGuard::NoGradGuard() : previous_(recording) { recording = false; }
NoGradGuard::~NoGradGuard() { recording = previous_; }
bool grad_enabled() { return recording; }

Storage::Storage(Device on, std::size_t size) : device(on), bytes(size), data(allocate(on, size)) {}

Storage::Storage(const void* borrowed, std::size_t size, std::shared_ptr<const void> keeper)
    : bytes(size), data(const_cast<void*>(borrowed)), owner(std::move(keeper)) {}

Storage::~Storage() {
  if (owner == nullptr) deallocate(device, data, bytes);
}

const Tensor::Impl& Tensor::impl() const {
  SESAME_CHECK(impl_ != nullptr, "tensor", "the tensor is undefined: it was never given a value");
  return *impl_;
}

Tensor::Impl& Tensor::impl() {
  SESAME_CHECK(impl_ != nullptr, "tensor", "the tensor is undefined: it was never given a value");
  return *impl_;
}

// --- making
// ---------------------------------------------------------------------------------------------------------

Tensor Tensor::make(std::shared_ptr<Storage> storage, const Shape& shape, const Strides& strides,
                    std::int64_t offset, DType dtype) {
  Tensor out;
  out.impl_ = std::make_shared<Impl>();
  out.impl_->storage = std::move(storage);
  out.impl_->shape = shape;
  out.impl_->strides = strides;
  out.impl_->offset = offset;
  out.impl_->dtype = dtype;
  return out;
}

Tensor Tensor::empty(const Shape& shape, TensorOptions options) {
  auto bytes = static_cast<std::int64_t>(dtype_size(options.dtype));
  bool fits = true;
  for (std::int64_t size : shape) {
    SESAME_CHECK(size >= 0, "empty", "sizes must not be negative, got {}", shape);
    fits = fits && !__builtin_mul_overflow(bytes, std::max<std::int64_t>(size, 1), &bytes);
  }
  SESAME_CHECK(fits, "empty", "{} {} needs more memory than there are addresses", shape,
               dtype_name(options.dtype));
  if (shape.numel() == 0) bytes = 0;
  return make(std::make_shared<Storage>(options.device, static_cast<std::size_t>(bytes)), shape,
              contiguous_strides(shape), 0, options.dtype);
}

Tensor Tensor::full(const Shape& shape, double value, TensorOptions options) {
  Tensor out = empty(shape, options);
  kernels(options.device).fill(out.view(), value);
  return out;
}

Tensor Tensor::from_memory(const void* values, std::size_t count, const Shape& shape, TensorOptions options) {
  SESAME_CHECK(static_cast<std::size_t>(shape.numel()) == count, "from", "{} values do not fill shape {}",
               count, shape);
  Tensor out = empty(shape, options);
  if (count > 0) {
    kernels(options.device).copy_from_host(out.storage()->data, values, count * dtype_size(options.dtype));
  }
  return out;
}

Tensor Tensor::borrow(const void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner) {
  SESAME_CHECK(owner != nullptr, "borrow", "needs an owner that keeps the memory alive");
  const std::size_t bytes = static_cast<std::size_t>(shape.numel()) * dtype_size(dtype);
  return make(std::make_shared<Storage>(data, bytes, std::move(owner)), shape, contiguous_strides(shape), 0,
              dtype);
}

// --- looking
// --------------------------------------------------------------------------------------------------------

const Shape& Tensor::shape() const { return impl().shape; }
const Strides& Tensor::strides() const { return impl().strides; }
DType Tensor::dtype() const { return impl().dtype; }
Device Tensor::device() const { return impl().storage->device; }
const std::shared_ptr<Storage>& Tensor::storage() const { return impl().storage; }
std::int64_t Tensor::offset() const { return impl().offset; }

bool Tensor::is_contiguous() const {
  std::int64_t step = 1;
  for (int i = dim() - 1; i >= 0; --i) {
    if (shape()[i] == 1) continue;
    if (shape()[i] == 0) return true;
    if (strides()[i] != step) return false;
    step *= shape()[i];
  }
  return true;
}

bool Tensor::is_unique(long tensors) const {
  return impl_.use_count() == 1 && impl().storage.use_count() == tensors;
}

View Tensor::view() const {
  const Impl& self = impl();
  View v;
  v.data = static_cast<char*>(self.storage->data) +
           self.offset * static_cast<std::int64_t>(dtype_size(self.dtype));
  v.dtype = self.dtype;
  v.dim = self.shape.dim();
  std::copy(self.shape.begin(), self.shape.end(), v.size);
  std::copy(self.strides.begin(), self.strides.end(), v.stride);
  v.numel = self.shape.numel();
  return v;
}

void* Tensor::host_data(DType wanted, bool writing) const {
  SESAME_CHECK(dtype() == wanted, "data", "the tensor holds {}, {} was asked for", dtype_name(dtype()),
               dtype_name(wanted));
  SESAME_CHECK(device() == Device{}, "data", "the tensor lies on {}: use to_vector() or to(cpu)",
               device().name());
  SESAME_CHECK(is_contiguous(), "data", "the tensor {} is not contiguous: call contiguous() first", shape());
  if (writing) const_cast<Tensor*>(this)->begin_write("mutable_data");
  return view().data;
}

void Tensor::copy_to_host(void* host, DType wanted) const {
  SESAME_CHECK(dtype() == wanted, "to_vector",
               "the tensor holds {}, {} was asked for: convert with to(dtype)", dtype_name(dtype()),
               dtype_name(wanted));
  if (numel() == 0) return;
  const Tensor x = detach().contiguous();
  kernels(device()).copy_to_host(host, x.view().data, static_cast<std::size_t>(numel()) * dtype_size(wanted));
}

double Tensor::item() const {
  SESAME_CHECK(numel() == 1, "item", "needs a tensor with one element, got {}", shape());
  return detach().to(DType::Float64).to_vector<double>()[0];
}

// --- outside the graph
// ------------------------------------------------------------------------------------------------

Tensor Tensor::clone() const {
  Tensor out = empty(shape(), options());
  kernels(device()).copy(out.view(), view());
  return out;
}

Tensor Tensor::detach() const {
  const Impl& self = impl();
  return make(self.storage, self.shape, self.strides, self.offset, self.dtype);
}

Tensor Tensor::alias(const Shape& shape, const Strides& strides, std::int64_t offset) const {
  std::int64_t first = offset, last = offset;
  for (int i = 0; i < shape.dim(); ++i) (strides[i] < 0 ? first : last) += (shape[i] - 1) * strides[i];
  const auto capacity = static_cast<std::int64_t>(storage()->bytes / dtype_size(dtype()));
  SESAME_CHECK(shape.numel() == 0 || (first >= 0 && last < capacity), "alias",
               "view {} with strides {} at {} leaves the storage of {} elements", shape, strides, offset,
               capacity);
  return make(storage(), shape, strides, offset, dtype());
}

void Tensor::begin_write(const char* op) {
  const Impl& self = impl();
  SESAME_CHECK(self.storage->owner == nullptr, op,
               "the tensor {} is a read-only view of a mapped file: clone() it before writing", self.shape);
  SESAME_CHECK(!recording || (!self.requires_grad && self.grad_fn == nullptr), op,
               "tensor {} takes part in the graph and must not be written in place: use NoGradGuard",
               self.shape);
  ++self.storage->version;
}

Tensor& Tensor::copy_(const Tensor& source) {
  SESAME_CHECK(shape() == source.shape(), "copy_", "shapes differ: destination {}, source {}", shape(),
               source.shape());
  begin_write("copy_");
  Tensor from = source.device() == device() ? source.detach() : source.detach().to(device());
  if (from.storage() == storage()) from = from.clone();  // the views may overlap
  kernels(device()).copy(view(), from.view());
  return *this;
}

Tensor& Tensor::fill_(double value) {
  begin_write("fill_");
  kernels(device()).fill(view(), value);
  return *this;
}

Tensor& Tensor::add_(const Tensor& other, double alpha) {
  SESAME_CHECK(shape() == other.shape() && dtype() == other.dtype(), "add_",
               "got {} {} and {} {}: must be equal", shape(), dtype_name(dtype()), other.shape(),
               dtype_name(other.dtype()));
  SESAME_CHECK(is_contiguous(), "add_", "the destination {} must be contiguous", shape());
  begin_write("add_");
  kernels(device()).accumulate(view(), other.detach().contiguous().view(), alpha);
  return *this;
}

// --- autograd
// ---------------------------------------------------------------------------------------------------------

bool Tensor::requires_grad() const {
  return impl_ != nullptr && (impl_->requires_grad || impl_->grad_fn != nullptr);
}

Tensor& Tensor::set_requires_grad(bool value) {
  Impl& self = impl();
  SESAME_CHECK(self.grad_fn == nullptr, "set_requires_grad",
               "only leaves can be switched: {} came out of an op", self.shape);
  SESAME_CHECK(!value || is_floating(self.dtype), "set_requires_grad", "{} tensors have no gradient",
               dtype_name(self.dtype));
  self.requires_grad = value;
  return *this;
}

const std::shared_ptr<Node>& Tensor::grad_fn() const { return impl_ ? impl_->grad_fn : no_node; }
const Tensor& Tensor::grad() const { return impl_ ? impl_->grad : undefined_tensor; }

void Tensor::set_grad(const Tensor& grad) {
  SESAME_CHECK(!grad.defined() || grad.shape() == shape(), "set_grad", "gradient {} does not match tensor {}",
               grad.defined() ? grad.shape() : Shape{}, shape());
  impl().grad = grad;
}

void Tensor::backward() const { sesame::backward(*this); }

Tensor record_output(Tensor out, std::shared_ptr<Node> node) {
  // The op's own handle may be shared with a view of an input (contiguous() of a contiguous tensor): never
  // attach history to a tensor that others see.
  Tensor result = out.detach();
  result.impl_->grad_fn = std::move(node);
  return result;
}

}  // namespace sesame
