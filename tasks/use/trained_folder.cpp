#include "tasks/use/trained_folder.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/adapters/base_hash.h"
#include "models/io/strict_json.h"
#include "models/pretrained.h"
#include "tasks/use/task_json.h"

namespace sesame {
namespace {

namespace fs = std::filesystem;

// What task.json says about the base of an adapter; nothing for an ordinary model.
struct BaseOfRun {
  std::string directory, hash;
};

std::optional<BaseOfRun> base_of(const std::string& directory) {
  const std::string path = directory + "/task.json";
  const Json json = read_task_json(directory);
  if (!json.is_object() || !json.contains("base")) return std::nullopt;
  const Json& base = json["base"];
  const bool complete = base.is_object() && base.contains("directory") && base["directory"].is_string() &&
                        base.contains("hash") && base["hash"].is_string();
  SESAME_CHECK(complete, path, "\"base\" must name \"directory\" and \"hash\", found {}", json_text(base));
  return BaseOfRun{base["directory"], base["hash"]};
}

bool holds_pooler(const AdapterFolder& folder) {
  return std::any_of(folder.trunk.begin(), folder.trunk.end(),
                     [](const auto& entry) { return entry.first.starts_with("bert.pooler."); });
}

}  // namespace

void TrainedFolder::load(TrunkModel& into) const {
  if (adapter.has_value()) {
    copy_weights(head_weights(into), adapter->head, directory);
    into.adapter = adapter_name;
  } else {
    load_weights(into, WeightFiles(directory), {.verbose = verbose});
  }
  into.to({DType::Float32, device});
  into.eval();
  trunk->to({DType::Float32, device});  // of several models on it only the first lists it
  trunk->eval();
}

TrainedFolders::TrainedFolders(const UseOptions& options) : options_(options) {
  const auto is_adapter = [](const std::string& directory) { return base_of(directory).has_value(); };
  const std::vector<std::string>& models = options.models;
  SESAME_CHECK(options.base.empty() || std::any_of(models.begin(), models.end(), is_adapter), "--base",
               "is for adapters: '{}' holds a whole model, which does not use '{}'",
               models.empty() ? "" : models.front(), options.base);
}

std::shared_ptr<Bert> TrainedFolders::base(const std::string& directory) {
  std::error_code ignored;
  std::shared_ptr<Bert>& known = bases_[fs::weakly_canonical(directory, ignored).string()];
  if (known == nullptr) {
    known = load_bert(directory, {.verbose = options_.verbose}).model;
  }
  return known;
}

TrainedFolder TrainedFolders::open(const std::string& directory, bool pooler) {
  TrainedFolder folder{.directory = directory,
                       .model = directory,
                       .config = {},
                       .trunk = {},
                       .device = options_.device,
                       .verbose = options_.verbose};
  const std::optional<BaseOfRun> base = base_of(directory);
  if (!base.has_value()) {
    folder.config = read_bert_config(directory);
    const bool stored = stores_pooler(WeightFiles(directory));
    folder.trunk = std::make_shared<Bert>(folder.config, pooler && stored);
    return folder;
  }
  folder.model = options_.base.empty() ? base->directory : options_.base;
  SESAME_CHECK(fs::exists(folder.model + "/config.json"), "--base",
               "the adapter in '{}' stands on the model '{}', which is not there: say where it is", directory,
               folder.model);
  folder.config = read_bert_config(folder.model);
  folder.adapter = read_adapter_folder(directory);
  if (holds_pooler(*folder.adapter)) {  // the base has none, and the run's own can serve only this model
    folder.trunk =
        load_bert(folder.model, {.pooler = PoolerChoice::Always, .verbose = options_.verbose}).model;
    check_base(*folder.trunk, base->hash, folder.model, {"pooler."});
  } else {
    folder.trunk = this->base(folder.model);
    check_base(*folder.trunk, base->hash, folder.model,
               pooler ? std::vector<std::string>{} : std::vector<std::string>{"pooler."});
  }
  folder.adapter_name = fmt::format("{}-{}", folder.adapter->name, ++adapters_);
  install_adapter(*folder.trunk, *folder.adapter, folder.adapter_name);
  return folder;
}

}  // namespace sesame
