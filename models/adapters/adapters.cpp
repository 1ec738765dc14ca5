#include "models/adapters/adapters.h"

#include <algorithm>

#include "autograd/check.h"
#include "nn/init.h"
#include "nn/layers/activation.h"

namespace sesame {
namespace {

constexpr double kInitialStd = 0.02;

bool is_adapter_weight(const std::string& name) { return name.find(".adapters.") != std::string::npos; }
bool is_lora_weight(const std::string& name) {
  return name.find(".lora_A.") != std::string::npos || name.find(".lora_B.") != std::string::npos;
}

void init_adapter(Adapter& adapter, const std::string& name, std::uint64_t seed) {
  for (NamedParameter& p : adapter.parameters()) {
    if (p.tensor.dim() > 1) init_normal(p.tensor, 0, kInitialStd, init_key(seed, name + "." + p.name));
  }
}

}  // namespace

BertAdapters::BertAdapters(Bert& bert) : bert_(bert) {
  const auto add_norm = [&](const std::string& name, LayerNorm& norm) {
    norms_.emplace_back("bert." + name + ".LayerNorm.weight", &norm.weight);
    norms_.emplace_back("bert." + name + ".LayerNorm.bias", &norm.bias);
  };
  add_norm("embeddings", bert.embeddings.layer_norm);
  for (std::size_t i = 0; i < bert.encoder.layer.size(); ++i) {
    TransformerLayer& layer = bert.encoder.layer[i];
    const std::string name = fmt::format("encoder.layer.{}.", i);
    add_norm(name + "attention.output", layer.attention.output.layer_norm);
    add_norm(name + "output", layer.output.layer_norm);
  }
  entries_.push_back({"", {}, {}});
  keep_current_norms();
}

// Handles may have been replaced in place (Module::to), so the ones in the trunk's places count.
void BertAdapters::keep_current_norms() {
  for (Entry& entry : entries_) {
    const bool own = !entry.norms.empty() || entry.name.empty();
    const bool shown = entry.name == active_ || (entry.name.empty() && this->entry(active_).norms.empty());
    if (!own || !shown) continue;
    entry.norms.clear();
    for (const auto& [name, place] : norms_) entry.norms.push_back(*place);
  }
}

const BertAdapters::Entry& BertAdapters::entry(const std::string& name) const {
  std::string known;
  for (const Entry& entry : entries_) {
    if (entry.name == name) return entry;
    if (!entry.name.empty()) known += (known.empty() ? "" : ", ") + entry.name;
  }
  fail("adapter", "there is no adapter '{}' on this model: it has {}", name, known.empty() ? "none" : known);
}

std::vector<std::string> BertAdapters::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) {
    if (!entry.name.empty()) names.push_back(entry.name);
  }
  return names;
}

const AdapterConfig& BertAdapters::config(const std::string& name) const { return entry(name).config; }

void BertAdapters::add(const std::string& name, const AdapterConfig& config, const NewAdapter& options) {
  const auto layers = static_cast<std::int64_t>(bert_.encoder.layer.size());
  const bool taken =
      std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  SESAME_CHECK(!name.empty() && name.find('.') == std::string::npos, "adapter",
               "the name '{}' must not be empty and must not have a dot", name);
  SESAME_CHECK(!taken, "adapter", "the model has an adapter '{}' already", name);
  for (const std::int64_t left_out : config.leave_out) {
    SESAME_CHECK(left_out >= 0 && left_out < layers, "adapter",
                 "layer {} is to be left out, but layers are 0 to {}", left_out, layers - 1);
  }
  const AdapterOptions shape{.width = bert_.width(),
                             .size = config.size,
                             .activation = parse_activation(config.activation),
                             .after_norm = config.after_norm};
  const auto add_to = [&](ResidualOutput& output, const std::string& place) {
    init_adapter(output.add_adapter(name, shape), place + ".adapters." + name, options.seed);
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    if (std::count(config.leave_out.begin(), config.leave_out.end(), i) > 0) continue;
    TransformerLayer& layer = bert_.encoder.layer[static_cast<std::size_t>(i)];
    const std::string place = fmt::format("encoder.layer.{}.", i);
    if (config.after_attention) add_to(layer.attention.output, place + "attention.output");
    if (config.after_feed_forward) add_to(layer.output, place + "output");
  }
  keep_current_norms();
  Entry fresh{name, config, {}};
  if (options.norms) {
    for (const Tensor& norm : entries_.front().norms) {
      fresh.norms.push_back(norm.clone());
      fresh.norms.back().set_requires_grad(true);
    }
  }
  entries_.push_back(std::move(fresh));
}

void BertAdapters::set_active(const std::string& name) {
  const Entry& next = entry(name);
  keep_current_norms();
  const std::vector<Tensor>& norms = next.norms.empty() ? entries_.front().norms : next.norms;
  for (std::size_t i = 0; i < norms_.size(); ++i) {
    Tensor norm = norms[i];
    const TensorOptions wanted = norms_[i].second->options();
    if (norm.dtype() != wanted.dtype || !(norm.device() == wanted.device)) {
      norm = norm.detach().to(wanted.dtype).to(wanted.device);
      norm.set_requires_grad(norms[i].requires_grad());
    }
    *norms_[i].second = norm;
  }
  for (std::size_t i = 0; i < bert_.encoder.layer.size(); ++i) {
    TransformerLayer& layer = bert_.encoder.layer[i];
    if (layer.attention.output.adapters) layer.attention.output.adapters->set_active(name);
    if (layer.output.adapters) layer.output.adapters->set_active(name);
  }
  active_ = name;
}

NamedTensors BertAdapters::weights(const std::string& name) const {
  entry(name);
  NamedTensors weights;
  for (const NamedParameter& p : bert_.parameters()) {
    if (p.name.find(".adapters." + name + ".") != std::string::npos)
      weights.emplace_back("bert." + p.name, p.tensor);
  }
  return weights;
}

NamedTensors BertAdapters::norms(const std::string& name) const {
  const Entry& of = entry(name);
  // While shown, the places hold the newest handles.
  const bool in_place = of.name == active_ || (of.name.empty() && entry(active_).norms.empty());
  NamedTensors norms;
  for (std::size_t i = 0; i < of.norms.size(); ++i) {
    norms.emplace_back(norms_[i].first, in_place ? *norms_[i].second : of.norms[i]);
  }
  return norms;
}

void add_adapter(Bert& bert, const AdapterConfig& config, const std::string& name,
                 const NewAdapter& options) {
  if (bert.adapters == nullptr) bert.adapters = std::make_unique<BertAdapters>(bert);
  bert.adapters->add(name, config, options);
}

void set_active_adapter(Bert& bert, const std::string& name) {
  if (bert.adapters == nullptr && name.empty()) return;
  SESAME_CHECK(bert.adapters != nullptr, "adapter", "there is no adapter '{}': the model has none", name);
  bert.adapters->set_active(name);
}

std::string active_adapter(const Bert& bert) {
  return bert.adapters == nullptr ? "" : bert.adapters->active();
}

NamedTensors base_tensors(const Bert& bert) {
  NamedTensors tensors;
  const NamedTensors norms = bert.adapters == nullptr ? NamedTensors() : bert.adapters->norms("");
  for (const NamedParameter& p : bert.parameters()) {
    if (is_adapter_weight(p.name) || is_lora_weight(p.name)) continue;
    const auto norm = std::find_if(norms.begin(), norms.end(),
                                   [&](const auto& entry) { return entry.first == "bert." + p.name; });
    tensors.emplace_back(p.name, norm == norms.end() ? p.tensor : norm->second);
  }
  return tensors;
}

void add_lora(Bert& bert, const LowRankOptions& options, std::uint64_t seed) {
  for (auto& layer : bert.encoder.layer) {
    layer->attention.self.query.add_low_rank(options, seed);
    layer->attention.self.value.add_low_rank(options, seed);
  }
}

bool merge_lora(Bert& bert) {
  bool merged = false;
  for (auto& layer : bert.encoder.layer) {
    for (LowRankLinear* part : {&layer->attention.self.query, &layer->attention.self.value}) {
      merged = merged || part->has_low_rank();
      part->merge_low_rank();
    }
  }
  return merged;
}

NamedTensors lora_weights(const Bert& bert) {
  NamedTensors weights;
  for (const NamedParameter& p : bert.parameters()) {
    if (is_lora_weight(p.name)) weights.emplace_back("base_model.model.bert." + p.name, p.tensor);
  }
  return weights;
}

}  // namespace sesame
