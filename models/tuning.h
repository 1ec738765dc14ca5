// What of a model is trained: everything, the head alone, or the head and a small part of the trunk. The
// trunk is what is registered as "bert" (its pooler belongs to it), the head is everything else.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nn/module.h"

namespace sesame {

enum class TuneMode { Full, Frozen, Adapter, Lora, Bitfit };

// "full", "frozen", "adapter", "lora", "bitfit"; throws Error otherwise.
TuneMode parse_tune(const std::string& name);
std::string tune_text(TuneMode mode);

struct TuneOptions {
  TuneMode mode = TuneMode::Full;
  // Layers from the top that are trained whole, with the pooler above them, beside what `mode` trains. With
  // Full it says how much is trained at all. 0: none.
  std::int64_t unfreeze_top = 0;
  bool adapter_norms = true;  // of Adapter: the LayerNorms, too; it must have been added with its own
  std::string adapter;        // of Adapter: the name of the one that is trained
};

struct TuneCounts {
  std::int64_t trained = 0, total = 0;              // numbers, not tensors
  std::int64_t trunk_trained = 0, trunk_total = 0;  // of these, in the trunk
  std::string text() const;                         // "1,234 of 5,678 parameters are trained (21.7 %)"
};

// Sets requires_grad of every parameter. What is trained of the trunk besides unfreeze_top:
//   Full     everything
//   Frozen   nothing
//   Adapter  the adapter named, and all LayerNorms unless told otherwise (Houlsby et al. 2019, section 2.1)
//   Lora     the low-rank updates (Hu et al. 2022)
//   Bitfit   all biases, LayerNorm's and the pooler's included (Ben Zaken et al. 2022)
// Throws Error when the mode finds nothing to train, or for more layers than there are.
TuneCounts set_tuning(Module& model, const TuneOptions& options);
TuneCounts count_tuned(const Module& model);

// Whether nothing in the trunk is trained, so that its output for a text is always the same and can be kept
// (in evaluation mode).
bool trunk_is_frozen(const Module& model);

// Layers of the trunk, found by their names.
std::int64_t trunk_layers(const Module& model);

// Layer-wise decay of the learning rate (Howard & Ruder 2018, section 3.2; ELECTRA's and BEiT's recipes):
// head 1, pooler and top layer `decay`, each layer below once more, embeddings decay^(layers + 1).
double layer_decay_factor(const std::string& parameter, std::int64_t layers, double decay);

// Gradual unfreezing (Howard & Ruder 2018, section 3.3), spread over the run: how many groups of the trunk
// train in `epoch` (from 0) of `epochs`: none at first, all in the last epoch. The groups are, from the top:
// each layer (the pooler with the highest), then the embeddings: layers + 1.
std::int64_t unfrozen_groups(std::int64_t epoch, std::int64_t epochs, std::int64_t layers);
// Freezes the groups below. Only parameters in `trainable` (those that set_tuning left trained; an optimiser
// must be made while all of them are) are switched; frozen ones lose their gradient.
void unfreeze_groups(const std::vector<NamedParameter>& trainable, std::int64_t groups, std::int64_t layers);

}  // namespace sesame
