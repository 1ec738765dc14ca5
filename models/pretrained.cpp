#include "models/pretrained.h"

#include <filesystem>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "nn/init.h"

namespace sesame {

namespace {

namespace fs = std::filesystem;

}  // namespace

const std::vector<std::string>& head_prefixes() {
  static const std::vector<std::string> prefixes = {"cls", "classifier", "qa_outputs", "head"};
  return prefixes;
}

bool stores_pooler(const WeightFiles& files) {
  return files.contains("pooler.dense.weight") || files.contains("bert.pooler.dense.weight");
}

BertConfig read_bert_config(const std::string& directory) {
  std::error_code ignored;
  SESAME_CHECK(fs::is_directory(directory, ignored), directory,
               "is not a directory: expected a model directory with config.json and model.safetensors");
  return BertConfig::from_file((fs::path(directory) / "config.json").string());
}

LoadedBert load_bert(const std::string& directory, const LoadBertOptions& options) {
  LoadedBert loaded;
  loaded.config = read_bert_config(directory);
  if (options.random_init) {
    loaded.model = std::make_unique<Bert>(loaded.config, options.pooler != PoolerChoice::Never);
    init_bert_model(*loaded.model, loaded.config, options.seed);
    for (const NamedParameter& parameter : loaded.model->parameters())
      loaded.report.fresh.push_back(parameter.name);
    return loaded;
  }
  const WeightFiles files(directory);
  const bool with_pooler = options.pooler == PoolerChoice::Always ||
                           (options.pooler == PoolerChoice::IfStored && stores_pooler(files));
  loaded.model = std::make_unique<Bert>(loaded.config, with_pooler);
  LoadOptions load{.fresh = {}, .ignore = head_prefixes(), .verbose = options.verbose};
  if (options.pooler == PoolerChoice::Always) load.fresh.push_back("pooler");
  if (options.pooler == PoolerChoice::Never) load.ignore.insert(load.ignore.end(), {"pooler", "bert.pooler"});
  loaded.report = load_weights(*loaded.model, files, load);
  init_fresh(*loaded.model, loaded.report.fresh, loaded.config.initializer_range, options.seed);
  return loaded;
}

void init_bert_model(Module& module, const BertConfig& config, std::uint64_t seed) {
  init_bert(module, config.initializer_range, seed);
  if (!config.pad_token_id) return;
  const NoGradGuard no_grad;
  for (const NamedParameter& parameter : module.parameters()) {
    if (!parameter.name.ends_with("embeddings.word_embeddings.weight")) continue;
    parameter.tensor.slice(0, *config.pad_token_id, *config.pad_token_id + 1).fill_(0);
  }
}

void save_pretrained(const std::string& directory, const Module& module, const BertConfig& config,
                     const std::string& architecture) {
  std::error_code error;
  fs::create_directories(directory, error);
  SESAME_CHECK(!error, directory, "cannot be created: {}", error.message());
  const NamedTensors state = state_dict(module);
  BertConfig written = config;
  if (!architecture.empty()) written.architectures = {architecture};
  if (!state.empty()) written.dtype = dtype_name(state.front().second.dtype());
  save_safetensors((fs::path(directory) / "model.safetensors").string(), state);
  write_file_atomic((fs::path(directory) / "config.json").string(), written.to_json());
}

}  // namespace sesame
