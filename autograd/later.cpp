#include "autograd/later.h"

#include <cstring>
#include <utility>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

namespace sesame {

Later::Later(const Tensor& x) : device_(x.device()) {
  const Tensor numbers = x.detach().to(DType::Float64).contiguous();
  const KernelTable& table = kernels(device_);
  values_.resize(static_cast<std::size_t>(numbers.numel()));
  const std::size_t bytes = values_.size() * sizeof(double);
  if (table.start_copy_to_host == nullptr || bytes == 0) {
    table.copy_to_host(values_.data(), numbers.view().data, bytes);
  } else {
    copy_ = table.start_copy_to_host(numbers.view().data, bytes);
  }
}

Later::~Later() {
  if (copy_ != nullptr) kernels(device_).end_copy(copy_);
}

Later::Later(Later&& other) noexcept { *this = std::move(other); }

Later& Later::operator=(Later&& other) noexcept {
  std::swap(values_, other.values_);
  std::swap(copy_, other.copy_);
  std::swap(device_, other.device_);
  return *this;
}

const std::vector<double>& Later::values() {
  if (copy_ == nullptr) return values_;
  const KernelTable& table = kernels(device_);
  std::memcpy(values_.data(), table.await_copy(copy_), values_.size() * sizeof(double));
  table.end_copy(copy_);
  copy_ = nullptr;
  return values_;
}

double Later::value() {
  SESAME_CHECK(values_.size() == 1, "later", "{} numbers are on their way: value() is for one",
               values_.size());
  return values()[0];
}

void write_values(Tensor& x, const std::vector<double>& values) {
  SESAME_CHECK(x.dtype() == DType::Float64 && x.is_contiguous() &&
                   static_cast<std::size_t>(x.numel()) == values.size(),
               "write_values", "{} values do not fill a {} tensor {}", values.size(), dtype_name(x.dtype()),
               x.shape());
  x.begin_write("write_values");
  kernels(x.device()).copy_from_host(x.view().data, values.data(), values.size() * sizeof(double));
}

void synchronize(Device device) {
  if (auto* wait = kernels(device).synchronize; wait != nullptr) wait();
}

}  // namespace sesame
