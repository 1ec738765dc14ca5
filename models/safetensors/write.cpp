#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"
#include "models/io/utf8.h"
#include "models/safetensors/dtypes.h"
#include "models/safetensors/safetensors.h"

namespace sesame {

namespace {

void check_names(const std::string& path, const NamedTensors& tensors, const SafetensorsMetadata& metadata) {
  std::unordered_set<std::string_view> seen;
  for (const auto& [name, tensor] : tensors) {
    SESAME_CHECK(!name.empty() && name != "__metadata__" && find_invalid_utf8(name) == std::string_view::npos,
                 path, "\"{}\" cannot name a tensor", name);
    SESAME_CHECK(seen.insert(name).second, path, "two tensors are named \"{}\"", name);
    SESAME_CHECK(tensor.defined(), path, "tensor \"{}\" is undefined", name);
  }
  for (const auto& [key, value] : metadata) {
    SESAME_CHECK(find_invalid_utf8(key) == std::string_view::npos &&
                     find_invalid_utf8(value) == std::string_view::npos,
                 path, "metadata \"{}\" is not UTF-8", key);
  }
}

// The order of the reference implementation: wider types first, so that everything is aligned, then names.
std::vector<const NamedTensors::value_type*> sorted(const NamedTensors& tensors) {
  std::vector<const NamedTensors::value_type*> order;
  for (const auto& item : tensors) order.push_back(&item);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const int left = safetensors_write_order(a->second.dtype()),
              right = safetensors_write_order(b->second.dtype());
    return left != right ? left < right : a->first < b->first;
  });
  return order;
}

std::string make_header(const std::vector<const NamedTensors::value_type*>& order,
                        const SafetensorsMetadata& metadata) {
  std::string header = "{";
  if (!metadata.empty()) header += "\"__metadata__\":" + json_text(Json(metadata));
  std::uint64_t offset = 0;
  for (const auto* item : order) {
    const Tensor& tensor = item->second;
    const std::uint64_t end =
        offset + static_cast<std::uint64_t>(tensor.numel()) * dtype_size(tensor.dtype());
    const Json shape = std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end());
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":{},\"data_offsets\":[{},{}]}}",
                          header.size() > 1 ? "," : "", json_text(Json(item->first)),
                          safetensors_dtype_name(tensor.dtype()), json_text(shape), offset, end);
    offset = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

}  // namespace

void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const SafetensorsMetadata& metadata) {
  check_names(path, tensors, metadata);
  const auto order = sorted(tensors);
  const std::string header = make_header(order, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header);
  for (const auto* item : order) {
    const Tensor host = item->second.detach().to(Device{}).contiguous();
    file.write(host.view().data, static_cast<std::size_t>(host.numel()) * dtype_size(host.dtype()));
  }
  file.commit();
}

}  // namespace sesame
