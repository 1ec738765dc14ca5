// The groups of layers that are set back after fine-tuning.
#pragma once

#include <string>
#include <vector>

#include "tasks/study/weights.h"

namespace sesame {

struct LayerGroup {
  std::string name;
  std::vector<std::size_t> members;  // places in Module::parameters()
};

// Embeddings, lower, middle and upper third of the layers of the trunk "bert" (fewer parts where it has
// fewer layers), pooler, and all of these together. Heads are in no group.
std::vector<LayerGroup> layer_groups(const Module& model);

// Sets these parameters of the model to their values in `weights`, which has all of them.
void set_back(Module& model, const std::vector<std::size_t>& members, const Weights& weights);

}  // namespace sesame
