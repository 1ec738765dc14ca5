// AdapterConfig: the shape of one set of adapters in an encoder, as AdapterHub's configurations describe it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace sesame {

struct AdapterConfig {
  std::int64_t size = 64;                    // of the bottleneck
  bool after_attention = true;               // "mh_adapter"
  bool after_feed_forward = true;            // "output_adapter"
  bool after_norm = false;                   // "original_ln_before", see AdapterOptions
  std::string activation = "swish";          // by its name in configurations
  std::vector<std::int64_t> leave_out = {};  // layers without, ascending

  // Houlsby et al. 2019 ("double_seq_bn"): after attention and after feed-forward.
  static AdapterConfig houlsby(std::int64_t size = 64) { return {.size = size}; }
  // Pfeiffer et al. 2021 ("seq_bn"): one after feed-forward, which reads the normalised states.
  static AdapterConfig pfeiffer(std::int64_t size = 64) {
    return {.size = size, .after_attention = false, .after_norm = true, .activation = "relu"};
  }
  // "houlsby" or "pfeiffer"; throws Error otherwise.
  static AdapterConfig of_kind(const std::string& kind, std::int64_t size);

  // The object that `adapters` 1.3.0 writes as "config" for a model of that width.
  nlohmann::json to_hub(std::int64_t width) const;
  // Throws Error at `where` for a configuration that is not built here, naming the key.
  static AdapterConfig from_hub(const nlohmann::json& config, std::int64_t width, const std::string& where);

  bool operator==(const AdapterConfig&) const = default;
};

}  // namespace sesame
