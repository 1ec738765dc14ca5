// What finished runs and AdapterHub leave: task.json, adapters.
#include <stdexcept>

#include "autograd/check.h"
#include "models/adapters/hub.h"
#include "models/bert/bert.h"
#include "tasks/classify/task_file.h"
#include "tasks/extract/task_file.h"
#include "tasks/generate/task_file.h"
#include "tasks/tag/task_file.h"
#include "tests/fuzz/target.h"

using namespace sesame;

// adapter_config.json, head_config.json, adapter.safetensors, model_head.safetensors,
// layer_norms.safetensors, put on a trunk of width 8.
SESAME_FUZZ_TARGET(adapter_folder) {
  const AdapterFolder folder =
      read_adapter_folder(fuzz::folder_with({"adapter_config.json", "head_config.json", "adapter.safetensors",
                                             "model_head.safetensors", "layer_norms.safetensors"},
                                            bytes));
  BertConfig config;
  config.vocab_size = 4, config.hidden_size = 8, config.num_hidden_layers = 1, config.num_attention_heads = 2;
  config.intermediate_size = 8, config.max_position_embeddings = 4;
  Bert bert(config, false);
  install_adapter(bert, folder);
}

// Each task reads the file; at least three of the four refuse it, as it names another.
SESAME_FUZZ_TARGET(task_json) {
  const std::string folder = fuzz::folder_with({"task.json"}, bytes);
  std::string refusals;
  const auto accepts = [&](const auto& read) {
    try {
      return !read(folder).to_json().empty();
    } catch (const Error& error) {
      refusals += error.what();
      return false;
    }
  };
  const int accepted = accepts(ClassifyTaskFile::read) + accepts(TagTaskFile::read) +
                       accepts(ExtractTaskFile::read) + accepts(GenerateTaskFile::read);
  if (accepted > 1) throw std::logic_error("one task.json is that of two tasks");
  if (accepted == 0) throw Error(refusals);
}
