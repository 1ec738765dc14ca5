#include "autograd/precision.h"

#include <mutex>

#include "autograd/backend/dispatch.h"
#include "autograd/check.h"

namespace sesame {
namespace {

thread_local DType compute_type = DType::Float32;

// Threads may predict with one model.
std::mutex twins_mutex;

// All of a storage as one row.
View row_of(const Storage& storage, DType dtype) {
  View row;
  row.data = storage.data;
  row.dtype = dtype;
  row.dim = 1;
  row.numel = static_cast<std::int64_t>(storage.bytes / dtype_size(dtype));
  row.size[0] = row.numel;
  row.stride[0] = 1;
  return row;
}

bool current(const Storage& own) { return own.twin != nullptr && own.twin_version == own.version; }

// A twin that a graph has saved and that is written now raises its version, as any tensor does.
void refresh(Storage& own) {
  if (own.twin == nullptr) {
    own.twin = std::make_shared<Storage>(
        own.device, own.bytes / dtype_size(DType::Float32) * dtype_size(DType::BFloat16));
  }
  ++own.twin->version;
  kernels(own.device).copy(row_of(*own.twin, DType::BFloat16), row_of(own, DType::Float32));
  own.twin_version = own.version;
}

}  // namespace

MixedPrecision::MixedPrecision(DType compute) : previous_(compute_type) { compute_type = compute; }
MixedPrecision::~MixedPrecision() { compute_type = previous_; }

Tensor to_compute(const Tensor& x) {
  return compute_type == DType::BFloat16 && x.dtype() == DType::Float32 ? x.to(DType::BFloat16) : x;
}

Tensor from_compute(const Tensor& x) { return x.dtype() == DType::BFloat16 ? x.to(DType::Float32) : x; }

Tensor bfloat16_twin(const Tensor& parameter) {
  SESAME_CHECK(parameter.dtype() == DType::Float32, "bfloat16_twin", "only float32 has one, got {}",
               dtype_name(parameter.dtype()));
  Storage& own = *parameter.storage();
  std::lock_guard lock(twins_mutex);
  if (!current(own)) refresh(own);
  return Tensor::make(own.twin, parameter.shape(), parameter.strides(), parameter.offset(), DType::BFloat16);
}

Tensor in_type_of(const Tensor& x, const Tensor& parameter) {
  const bool twin = parameter.defined() && x.defined() && x.dtype() == DType::BFloat16 &&
                    parameter.dtype() == DType::Float32;
  return twin ? bfloat16_twin(parameter) : parameter;
}

void* current_twin(const Tensor& parameter) {
  const Storage& own = *parameter.storage();
  if (parameter.dtype() != DType::Float32 || !current(own)) return nullptr;
  return static_cast<char*>(own.twin->data) +
         parameter.offset() * static_cast<std::int64_t>(dtype_size(DType::BFloat16));
}

void twin_written(const Tensor& parameter) {
  Storage& own = *parameter.storage();
  ++own.twin->version;
  own.twin_version = own.version;
}

}  // namespace sesame
