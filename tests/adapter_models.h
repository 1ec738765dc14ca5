// What the tests of adapters share: tiny_bert with the random adapters and LoRA of tests/golden.
#pragma once

#include "models/adapters/adapters.h"
#include "tests/golden_model.h"

namespace sesame::testing {

// tiny_bert with a classifier of 3 labels, in evaluation mode.
struct TinyClassifier : GoldenClassifier {
  explicit TinyClassifier(DType dtype = DType::Float32)
      : GoldenClassifier(read_bert_config(tiny_bert_directory()), 3) {
    load_weights(*this, WeightFiles(tiny_bert_directory()));
    to({.dtype = dtype});
  }
  std::vector<double> logit_values(const PackedBatch& batch) const {
    const NoGradGuard no_grad;
    return doubles(logits(batch));
  }
};

inline AdapterConfig golden_adapter(const std::string& kind) {
  return AdapterConfig::of_kind(kind, kind == "houlsby" ? 8 : 5);
}

// Sets every parameter that the golden file stores under "<prefix>weight.<name>"; returns how many.
inline int load_golden_weights(Module& model, const Golden& golden, const std::string& prefix) {
  const NoGradGuard no_grad;
  int count = 0;
  for (const SafetensorsEntry& entry : golden.entries()) {
    const std::string start = prefix + "weight.";
    if (!entry.name.starts_with(start)) continue;
    Tensor parameter = model.parameter(entry.name.substr(start.size()));
    parameter.copy_(golden.tensor(entry.name).to(parameter.dtype()));
    ++count;
  }
  return count;
}

// A classifier with the golden file's adapter, named "t" and active.
struct AdaptedClassifier : TinyClassifier {
  AdaptedClassifier(const std::string& kind, DType dtype, bool norms = false) : TinyClassifier(dtype) {
    add_adapter(bert, golden_adapter(kind), "t", {.norms = norms});
    set_active_adapter(bert, "t");
    REQUIRE(load_golden_weights(*this, Golden("adapter"), kind + ".") == (kind == "houlsby" ? 16 : 8));
  }
};

}  // namespace sesame::testing
