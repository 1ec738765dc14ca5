#include "nn/layers/adapter.h"

#include <algorithm>

#include "autograd/ops/pointwise.h"

namespace sesame {

Adapter::Adapter(const AdapterOptions& o) : up(o.size, o.width), after_norm_(o.after_norm) {
  down.emplace_back(o.width, o.size, LinearOptions{.activation = o.activation});
  register_module("adapter_down", down);
  register_module("adapter_up", up);
}

Tensor Adapter::forward(const Tensor& x, const Tensor& skip) const {
  return skip + up.forward(down[0].forward(x));
}

Adapter& AdapterPoint::add(const std::string& name, const AdapterOptions& options) {
  auto adapter = std::make_unique<Adapter>(options);
  adapter->train(training());
  register_module(name, *adapter);
  adapters_.emplace_back(name, std::move(adapter));
  return *adapters_.back().second;
}

Adapter* AdapterPoint::find(const std::string& name) const {
  const auto found = std::find_if(adapters_.begin(), adapters_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  return found == adapters_.end() ? nullptr : found->second.get();
}

}  // namespace sesame
