#include "models/adapters/hub.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "autograd/check.h"
#include "models/io/atomic_file.h"
#include "models/io/strict_json.h"

namespace sesame {
namespace {

namespace fs = std::filesystem;

constexpr const char* kVersion = "adapters.1.3.0";
constexpr const char *kAdapter = "adapter.safetensors", *kHead = "model_head.safetensors",
                     *kAdapterConfig = "adapter_config.json", *kHeadConfig = "head_config.json",
                     *kTrunk = "layer_norms.safetensors";

bool in_trunk(const std::string& name) { return name.starts_with("bert."); }

// As Python's json.dump(indent=2, sort_keys=True) writes it.
void write_config(const fs::path& path, const Json& config) {
  write_file_atomic(path.string(), config.dump(2, ' ', true));
}

NamedTensors read_tensors(const fs::path& path) {
  const SafetensorsFile file(path.string());
  NamedTensors tensors;
  for (const SafetensorsEntry& entry : file.entries()) {
    tensors.emplace_back(entry.name, file.tensor(entry.name));
    SESAME_CHECK(is_floating(tensors.back().second.dtype()), path.string(), "\"{}\" is {}: expected floats",
                 entry.name, entry.dtype);
  }
  return tensors;
}

std::string text_or_empty(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Json head_config(const AdapterFolder& folder) {
  Json label2id = Json::object();
  for (std::size_t i = 0; i < folder.labels.size(); ++i) label2id[folder.labels[i]] = i;
  return {{"config", nullptr},
          {"hidden_size", folder.width},
          {"label2id", label2id},
          {"model_class", folder.model_class},
          {"model_name", folder.model_name},
          {"model_type", "bert"},
          {"name", nullptr},
          {"num_labels", folder.labels.size()},
          {"version", kVersion}};
}

void read_head_config(const fs::path& path, AdapterFolder& folder) {
  const Json head = read_json_file(path.string());
  SESAME_CHECK(head.is_object(), path.string(), "must be a JSON object, found {}", head.type_name());
  folder.model_class = text_or_empty(head, "model_class");
  const auto map = head.find("label2id");
  if (map == head.end() || !map->is_object()) return;
  folder.labels.resize(map->size());
  for (const auto& [label, id] : map->items()) {
    const bool fits = id.is_number_integer() && id >= 0 && id < map->size();
    SESAME_CHECK(fits && folder.labels[id.get<std::size_t>()].empty(), path.string(),
                 "\"label2id\" gives \"{}\" the id {}: ids must be 0 to {}, each once", label, json_text(id),
                 map->size() - 1);
    folder.labels[id.get<std::size_t>()] = label;
  }
}

// The same tensors for an adapter of another name.
NamedTensors renamed(const NamedTensors& tensors, const std::string& from, const std::string& to) {
  const std::string old = ".adapters." + from + ".";
  NamedTensors result = tensors;
  for (auto& [name, tensor] : result) {
    const std::size_t at = name.find(old);
    if (at != std::string::npos) name.replace(at, old.size(), ".adapters." + to + ".");
  }
  return result;
}

// "size 64 (after attention and feed-forward, swish) in states of width 384"
std::string shape_text(const AdapterFolder& folder) {
  const AdapterConfig& config = folder.config;
  const char* place = !config.after_attention     ? "after feed-forward"
                      : config.after_feed_forward ? "after attention and feed-forward"
                                                  : "after attention";
  std::string left_out;
  for (const std::int64_t layer : config.leave_out) left_out += fmt::format(", not in layer {}", layer);
  return fmt::format("size {} ({}, {}{}) in states of width {}", config.size, place, config.activation,
                     left_out, folder.width);
}

// Mean of tensors of the same names and shapes.
NamedTensors average(const std::vector<const NamedTensors*>& all, const std::string& what) {
  const NoGradGuard no_grad;
  const double share = 1.0 / static_cast<double>(all.size());
  NamedTensors sum;
  for (const auto& [name, tensor] : *all[0]) {
    sum.emplace_back(name, Tensor::zeros(tensor.shape(), {.dtype = DType::Float64}));
  }
  for (const NamedTensors* tensors : all) {
    NamedTensors values;
    for (const auto& [name, tensor] : sum) values.emplace_back(name, Tensor::zeros(tensor.shape()));
    copy_weights(values, *tensors, what);
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i].second.add_(values[i].second.to(DType::Float64), share);
  }
  for (auto& entry : sum) entry.second = entry.second.to(DType::Float32);
  return sum;
}

}  // namespace

NamedTensors head_weights(const Module& model) {
  NamedTensors head;
  for (const NamedParameter& p : model.parameters()) {
    if (!in_trunk(p.name)) head.emplace_back(p.name, p.tensor);
  }
  return head;
}

void copy_weights(const NamedTensors& into, const NamedTensors& from, const std::string& where) {
  const NoGradGuard no_grad;
  const std::map<std::string, Tensor> stored(from.begin(), from.end());
  for (const auto& [name, tensor] : into) {
    const auto found = stored.find(name);
    SESAME_CHECK(found != stored.end(), where, "lacks \"{}\" {}", name, tensor.shape());
    SESAME_CHECK(found->second.shape() == tensor.shape(), where, "\"{}\" is {} there, the model wants {}",
                 name, found->second.shape(), tensor.shape());
  }
  const std::map<std::string, Tensor> wanted(into.begin(), into.end());
  for (const auto& entry : stored) {
    SESAME_CHECK(wanted.contains(entry.first), where, "holds \"{}\" {}, which the model does not have",
                 entry.first, entry.second.shape());
  }
  for (const auto& [name, tensor] : into) {
    Tensor target = tensor;
    target.copy_(stored.at(name).to(target.dtype()).to(target.device()));
  }
}

AdapterFolder collect_adapter(const Module& model, const Bert& bert, const std::string& name,
                              const std::vector<std::string>& extra) {
  SESAME_CHECK(bert.adapters != nullptr, "adapter", "the model has no adapter '{}'", name);
  AdapterFolder folder{.name = name,
                       .config = bert.adapters->config(name),
                       .width = bert.width(),
                       .adapter = bert.adapters->weights(name),
                       .head = head_weights(model),
                       .trunk = bert.adapters->norms(name)};
  for (const NamedParameter& p : bert.parameters()) {
    const std::string full = "bert." + p.name;
    if (std::any_of(extra.begin(), extra.end(),
                    [&](const auto& prefix) { return full.starts_with(prefix); })) {
      folder.trunk.emplace_back(full, p.tensor);
    }
  }
  return folder;
}

void write_adapter_folder(const std::string& directory, const AdapterFolder& folder) {
  std::error_code error;
  fs::create_directories(directory, error);
  SESAME_CHECK(!error, directory, "cannot be created: {}", error.message());
  const fs::path to(directory);
  save_safetensors((to / kAdapter).string(), folder.adapter, {});
  save_safetensors((to / kHead).string(), folder.head, {});
  if (!folder.trunk.empty()) save_safetensors((to / kTrunk).string(), folder.trunk);
  write_config(to / kAdapterConfig, {{"config", folder.config.to_hub(folder.width)},
                                     {"hidden_size", folder.width},
                                     {"model_class", folder.model_class},
                                     {"model_name", folder.model_name},
                                     {"model_type", "bert"},
                                     {"name", folder.name},
                                     {"version", kVersion}});
  write_config(to / kHeadConfig, head_config(folder));
}

AdapterFolder read_adapter_folder(const std::string& directory) {
  const fs::path from(directory);
  const std::string where = (from / kAdapterConfig).string();
  const Json stored = read_json_file(where);
  SESAME_CHECK(stored.is_object() && stored.contains("config") && stored.contains("hidden_size"), where,
               "lacks \"config\" or \"hidden_size\": expected a folder of AdapterHub");
  SESAME_CHECK(text_or_empty(stored, "model_type") == "bert", where,
               "\"model_type\" is {}: expected \"bert\"", json_text(stored.value("model_type", Json())));
  const Json& width = stored.at("hidden_size");
  SESAME_CHECK(width.is_number_integer() && width > 0 && width <= 1 << 16, where, "\"hidden_size\" is {}",
               json_text(width));
  AdapterFolder folder;
  folder.name = text_or_empty(stored, "name");
  SESAME_CHECK(!folder.name.empty(), where, "\"name\" of the adapter is missing");
  folder.width = width.get<std::int64_t>();
  folder.config = AdapterConfig::from_hub(stored.at("config"), folder.width, where);
  folder.model_name = text_or_empty(stored, "model_name");
  folder.model_class = text_or_empty(stored, "model_class");
  SESAME_CHECK(
      fs::exists(from / kAdapter) || !fs::exists(from / "pytorch_adapter.bin"), directory,
      "holds only pickled weights (pytorch_adapter.bin), which are not read: load the adapter in Python "
      "and save it with use_safetensors=True");
  folder.adapter = read_tensors(from / kAdapter);
  if (fs::exists(from / kHead)) folder.head = read_tensors(from / kHead);
  if (fs::exists(from / kHeadConfig)) read_head_config(from / kHeadConfig, folder);
  if (fs::exists(from / kTrunk)) folder.trunk = read_tensors(from / kTrunk);
  return folder;
}

void install_adapter(Bert& bert, const AdapterFolder& folder, const std::string& name) {
  const std::string as = name.empty() ? folder.name : name;
  SESAME_CHECK(folder.width == bert.width(), "adapter '" + as + "'",
               "is for states of width {}, the model has {}", folder.width, bert.width());
  NamedTensors norms, others;
  for (const auto& entry : folder.trunk) {
    (entry.first.find(".LayerNorm.") != std::string::npos ? norms : others).push_back(entry);
  }
  add_adapter(bert, folder.config, as, {.norms = !norms.empty()});
  copy_weights(bert.adapters->weights(as), renamed(folder.adapter, folder.name, as), kAdapter);
  copy_weights(bert.adapters->norms(as), norms, kTrunk);
  NamedTensors targets;
  for (const auto& entry : others) {
    targets.emplace_back(entry.first, bert.parameter(entry.first.substr(std::string("bert.").size())));
  }
  copy_weights(targets, others, kTrunk);
}

AdapterFolder average_adapters(const std::vector<AdapterFolder>& folders,
                               const std::vector<std::string>& places) {
  SESAME_CHECK(!folders.empty(), "average", "no adapters given");
  AdapterFolder mean = folders[0];
  std::vector<NamedTensors> adapters;
  std::vector<const NamedTensors*> adapter_parts, head_parts, trunk_parts;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const AdapterFolder& folder = folders[i];
    const auto place = [&](std::size_t k) { return k < places.size() ? places[k] : folders[k].name; };
    SESAME_CHECK(folder.config == mean.config && folder.width == mean.width, "average",
                 "'{}' has adapters of {}, '{}' of {}: only those of one shape have an average", place(0),
                 shape_text(mean), place(i), shape_text(folder));
    SESAME_CHECK(folder.labels == mean.labels && folder.model_class == mean.model_class, "average",
                 "'{}' and '{}' have heads of different labels or classes ({}, {})", place(0), place(i),
                 mean.model_class, folder.model_class);
    SESAME_CHECK(folder.trunk.empty() == mean.trunk.empty(), "average",
                 "'{}' and '{}' do not agree in --adapter-norms: only one of them has LayerNorms of its own",
                 place(0), place(i));
    adapters.push_back(renamed(folder.adapter, folder.name, mean.name));
    head_parts.push_back(&folder.head);
    trunk_parts.push_back(&folder.trunk);
  }
  for (const NamedTensors& part : adapters) adapter_parts.push_back(&part);
  mean.adapter = average(adapter_parts, "average of adapters");
  mean.head = average(head_parts, "average of heads");
  mean.trunk = average(trunk_parts, "average of LayerNorms");
  return mean;
}

}  // namespace sesame
