// Adapters on a BERT: several by name on one resident trunk, one of them active at a time. Without an active
// one the trunk is what it was, bit for bit.
//
//   add_adapter(bert, AdapterConfig::houlsby(64), "sst2", {.norms = true});
//   set_active_adapter(bert, "sst2");   // "": none
//
// Places (nn/layers/transformer_layer.h): encoder.layer.N.attention.output and encoder.layer.N.output, before
// the residual connection and LayerNorm. Parameters: <place>.adapters.<name>.adapter_down.0 and .adapter_up.
//
// LayerNorms trained along with an adapter are its own: it starts with copies of the trunk's, which stand in
// the trunk's places (under the trunk's names) while the adapter is active. The trunk's values stay
// untouched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/adapters/config.h"
#include "models/bert/bert.h"
#include "models/safetensors/safetensors.h"

namespace sesame {

struct NewAdapter {
  bool norms = false;      // LayerNorms of its own, those of the embeddings included
  std::uint64_t seed = 0;  // weights are normal(0, 0.02), biases 0, as AdapterHub's "bert"
};

// What a Bert with adapters keeps (Bert::adapters).
class BertAdapters {
 public:
  explicit BertAdapters(Bert& bert);

  void add(const std::string& name, const AdapterConfig& config, const NewAdapter& options);
  void set_active(const std::string& name);
  const std::string& active() const { return active_; }
  std::vector<std::string> names() const;
  // Throws Error naming those that are there.
  const AdapterConfig& config(const std::string& name) const;
  // Parameters under their names in a model with a trunk "bert", sharing memory.
  NamedTensors weights(const std::string& name) const;
  // Its own LayerNorms, or empty; "" gives the trunk's.
  NamedTensors norms(const std::string& name) const;

 private:
  struct Entry {
    std::string name;
    AdapterConfig config;
    std::vector<Tensor> norms;  // in the order of norms_; empty: the trunk's
  };
  const Entry& entry(const std::string& name) const;
  void keep_current_norms();

  Bert& bert_;
  std::vector<std::pair<std::string, Tensor*>> norms_;  // places of the trunk's LayerNorm parameters
  std::vector<Entry> entries_;                          // the first one, "", is the trunk itself
  std::string active_;
};

// Throws Error for a name that is taken, empty or has a dot, and for layers to leave out that are not there.
void add_adapter(Bert& bert, const AdapterConfig& config, const std::string& name,
                 const NewAdapter& options = {});
// "": none. Throws Error for an unknown name. Costs nothing; an optimiser must be made after it, because the
// LayerNorm parameters may be others.
void set_active_adapter(Bert& bert, const std::string& name);
std::string active_adapter(const Bert& bert);

// The trunk's own parameters, by name: no adapters, no LoRA, LayerNorms as before any adapter.
NamedTensors base_tensors(const Bert& bert);

// LoRA on query and value of every layer (nn/layers/low_rank.h), as PEFT does for BERT by default.
void add_lora(Bert& bert, const LowRankOptions& options = {}, std::uint64_t seed = 0);
// Adds the updates to the weights and removes them; false when there were none.
bool merge_lora(Bert& bert);
// The updates under PEFT's names (base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight).
NamedTensors lora_weights(const Bert& bert);

}  // namespace sesame
