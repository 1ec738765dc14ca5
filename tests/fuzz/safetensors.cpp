#include "models/safetensors/safetensors.h"

#include "models/safetensors/weight_files.h"
#include "tests/fuzz/target.h"

using namespace sesame;

// Header, layout, and the values of every tensor that has some.
SESAME_FUZZ_TARGET(safetensors) {
  const SafetensorsFile file(fuzz::file_with(bytes));
  for (const SafetensorsEntry& entry : file.entries()) (void)file.tensor(entry.name).clone();
}

// An index beside two shards: tensors "a" and "b" in one.safetensors, "c" in two.safetensors.
SESAME_FUZZ_TARGET(weights_index) {
  const std::string folder = fuzz::folder_with({"model.safetensors.index.json"}, bytes);
  save_safetensors(folder + "/one.safetensors", {{"a", Tensor::zeros({2})}, {"b", Tensor::zeros({1, 3})}});
  save_safetensors(folder + "/two.safetensors", {{"c", Tensor::zeros({4})}});
  const WeightFiles files(folder);
  for (const std::string& name : files.names()) (void)files.tensor(name).clone();
}
