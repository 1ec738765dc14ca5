#include "models/adapters/config.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/strict_json.h"
#include "nn/layers/activation.h"

namespace sesame {
namespace {

// What `adapters` 1.3.0 writes for a bottleneck adapter beyond what AdapterConfig holds: its defaults.
Json fixed_keys() {
  return {{"adapter_residual_before_ln", false},
          {"cross_adapter", false},
          {"dropout", 0.0},
          {"factorized_phm_W", true},
          {"factorized_phm_rule", false},
          {"hypercomplex_nonlinearity", "glorot-uniform"},
          {"init_weights", "bert"},
          {"init_weights_seed", nullptr},
          {"inv_adapter", nullptr},
          {"inv_adapter_reduction_factor", nullptr},
          {"is_parallel", false},
          {"learn_phm", true},
          {"ln_after", false},
          {"ln_before", false},
          {"original_ln_after", true},
          {"phm_bias", true},
          {"phm_c_init", "normal"},
          {"phm_dim", 4},
          {"phm_init_range", 0.0001},
          {"phm_layer", false},
          {"phm_rank", 1},
          {"residual_before_ln", true},
          {"scaling", 1.0},
          {"shared_W_phm", false},
          {"shared_phm_rule", true},
          {"stochastic_depth", 0.0},
          {"use_gating", false}};
}

// Those of the fixed keys that change what a trained adapter computes.
constexpr const char* kMeaningful[] = {
    "adapter_residual_before_ln", "inv_adapter", "is_parallel",        "ln_after", "ln_before",
    "original_ln_after",          "phm_layer",   "residual_before_ln", "scaling",  "use_gating"};

// AdapterHub stores the ratio of the widths and takes int(width // ratio). A whole number where there is one,
// else a ratio in the middle of those that give the size back.
Json reduction_factor(std::int64_t width, std::int64_t size) {
  if (size <= width && width / (width / size) == size) return width / size;
  return static_cast<double>(width) / (static_cast<double>(size) + 0.5);
}

template <class T>
T value(const Json& config, const char* key, const std::string& where, const T& otherwise) {
  const auto found = config.find(key);
  if (found == config.end()) return otherwise;
  try {
    return found->get<T>();
  } catch (const Json::exception&) {
    fail(where, "\"{}\" is {}: not what it should be", key, found->dump());
  }
}

}  // namespace

AdapterConfig AdapterConfig::of_kind(const std::string& kind, std::int64_t size) {
  SESAME_CHECK(kind == "houlsby" || kind == "pfeiffer", "adapter",
               "unknown kind '{}': expected houlsby or pfeiffer", kind);
  SESAME_CHECK(size > 0, "adapter", "the size must be positive, got {}", size);
  return kind == "houlsby" ? houlsby(size) : pfeiffer(size);
}

Json AdapterConfig::to_hub(std::int64_t width) const {
  Json config = fixed_keys();
  config["leave_out"] = leave_out;
  config["mh_adapter"] = after_attention;
  config["output_adapter"] = after_feed_forward;
  config["original_ln_before"] = after_norm;
  config["non_linearity"] = activation;
  config["reduction_factor"] = reduction_factor(width, size);
  return config;
}

AdapterConfig AdapterConfig::from_hub(const Json& config, std::int64_t width, const std::string& where) {
  SESAME_CHECK(config.is_object(), where, "\"config\" must be an object, found {}", json_text(config));
  const Json fixed = fixed_keys();
  for (const char* key : kMeaningful) {
    const auto found = config.find(key);
    SESAME_CHECK(found == config.end() || *found == fixed.at(key), where,
                 "\"{}\" is {}: only bottleneck adapters with {} are supported", key, found->dump(),
                 json_text(fixed.at(key)));
  }
  SESAME_CHECK(config.contains("mh_adapter") && config.contains("output_adapter"), where,
               "\"config\" names no bottleneck adapter (\"mh_adapter\", \"output_adapter\")");
  AdapterConfig read;
  read.after_attention = value(config, "mh_adapter", where, false);
  read.after_feed_forward = value(config, "output_adapter", where, true);
  read.after_norm = value(config, "original_ln_before", where, false);
  read.activation = value(config, "non_linearity", where, std::string("relu"));
  parse_activation(read.activation);
  read.leave_out = value(config, "leave_out", where, std::vector<std::int64_t>());
  std::sort(read.leave_out.begin(), read.leave_out.end());
  const double factor = value(config, "reduction_factor", where, 16.0);
  SESAME_CHECK(factor > 0 && std::isfinite(factor), where, "\"reduction_factor\" is {}: must be positive",
               factor);
  const double size = std::floor(static_cast<double>(width) / factor);
  SESAME_CHECK(size < 1 << 24, where, "\"reduction_factor\" is {}: adapters of size {} are too large", factor,
               size);
  read.size = std::max<std::int64_t>(1, static_cast<std::int64_t>(size));
  return read;
}

}  // namespace sesame
