// Adapters as folders, the way AdapterHub's library `adapters` 1.3.0 writes them with use_safetensors=True:
//   adapter.safetensors      bert.encoder.layer.N. .. .adapters.<name>.adapter_down.0.weight, ..
//   adapter_config.json      the shape of the adapter and what it was made for
//   model_head.safetensors   the head: classifier.*, qa_outputs.* or, of heads of our own, head.*
//   head_config.json         labels and class of the model
// and one file that is ours, where the run trained LayerNorms:
//   layer_norms.safetensors  under their names in the trunk, bert.embeddings.LayerNorm.weight, ..
#pragma once

#include <string>
#include <vector>

#include "models/adapters/adapters.h"

namespace sesame {

struct AdapterFolder {
  std::string name;  // of the adapter
  AdapterConfig config;
  std::int64_t width = 0;           // of the trunk's states
  std::string model_name;           // where the base was found
  std::string model_class;          // "BertForSequenceClassification"; of heads of our own "BertModel"
  std::vector<std::string> labels;  // of the head, by id; may be empty
  NamedTensors adapter, head;
  // Other tensors of the trunk that the base does not have like this: LayerNorms, and a pooler that the base
  // lacked.
  NamedTensors trunk;
};

// What a model with a trunk `bert` (registered as "bert") has of its adapter `name`: weights, LayerNorms, and
// all parameters outside of the trunk as the head. Parameters of the trunk whose names begin with one of
// `extra` ("bert.pooler.") are stored, too. Names and labels are left to the caller.
AdapterFolder collect_adapter(const Module& model, const Bert& bert, const std::string& name,
                              const std::vector<std::string>& extra = {});

// Writes the files into a directory (made when missing); each appears whole or not at all.
void write_adapter_folder(const std::string& directory, const AdapterFolder& folder);
// Throws Error naming file and key for whatever is missing, malformed or not built here.
AdapterFolder read_adapter_folder(const std::string& directory);

// Adds the adapter to a trunk under `name` (or its own when empty), with the stored LayerNorms and other
// tensors of the trunk. Throws Error when tensors are missing, left over or of another shape. The adapter is
// not active yet; the head is the caller's to load (copy_weights).
void install_adapter(Bert& bert, const AdapterFolder& folder, const std::string& name = "");

// The mean of adapters, LayerNorms and heads: of one shape, for one task. Throws Error naming what differs,
// and where: `places` (directories), or the names of the adapters.
AdapterFolder average_adapters(const std::vector<AdapterFolder>& folders,
                               const std::vector<std::string>& places = {});

// Parameters outside of the trunk, under their names.
NamedTensors head_weights(const Module& model);
// Copies values by name. Throws Error at `where` unless both have the same names and shapes.
void copy_weights(const NamedTensors& into, const NamedTensors& from, const std::string& where);

}  // namespace sesame
