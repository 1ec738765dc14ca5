#include "models/tuning.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "autograd/check.h"

namespace sesame {
namespace {

constexpr std::string_view kTrunk = "bert.", kLayer = "bert.encoder.layer.", kPooler = "bert.pooler.";

constexpr std::pair<const char*, TuneMode> kModes[] = {{"full", TuneMode::Full},
                                                       {"frozen", TuneMode::Frozen},
                                                       {"adapter", TuneMode::Adapter},
                                                       {"lora", TuneMode::Lora},
                                                       {"bitfit", TuneMode::Bitfit}};

bool in_trunk(const std::string& name) { return name.starts_with(kTrunk); }
bool contains(const std::string& name, const std::string& part) {
  return name.find(part) != std::string::npos;
}

// Height above the embeddings: 0 for them, 1 for the lowest layer, .., `layers` for the top layer and the
// pooler, layers + 1 for the head.
std::int64_t height(const std::string& name, std::int64_t layers) {
  if (!in_trunk(name)) return layers + 1;
  if (name.starts_with(kPooler)) return layers;
  if (!name.starts_with(kLayer)) return 0;
  std::int64_t layer = 0;
  std::from_chars(name.data() + kLayer.size(), name.data() + name.size(), layer);
  return layer + 1;
}

// Whether `mode` trains this parameter of the trunk.
bool trains(const std::string& name, const TuneOptions& options) {
  const bool adapter = contains(name, ".adapters."), lora = contains(name, ".lora_");
  switch (options.mode) {
    case TuneMode::Full:
      return !adapter && !lora && options.unfreeze_top == 0;
    case TuneMode::Frozen:
      return false;
    case TuneMode::Adapter:
      return contains(name, ".adapters." + options.adapter + ".") ||
             (options.adapter_norms && contains(name, ".LayerNorm."));
    case TuneMode::Lora:
      return lora;
    case TuneMode::Bitfit:
      return !adapter && name.ends_with(".bias");
  }
  return false;
}

// 1234567 -> "1,234,567".
std::string grouped(std::int64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace

TuneMode parse_tune(const std::string& name) {
  for (const auto& [text, mode] : kModes) {
    if (name == text) return mode;
  }
  fail("tune", "unknown mode '{}': expected full, frozen, adapter, lora or bitfit", name);
}

std::string tune_text(TuneMode mode) {
  const auto found = std::find_if(std::begin(kModes), std::end(kModes),
                                  [&](const auto& entry) { return entry.second == mode; });
  return found->first;
}

std::string TuneCounts::text() const {
  const double share = total == 0 ? 0 : 100.0 * static_cast<double>(trained) / static_cast<double>(total);
  const std::string percent = share >= 1 ? fmt::format("{:.1f}", share) : fmt::format("{:.2g}", share);
  return fmt::format("{} of {} parameters are trained ({} %)", grouped(trained), grouped(total), percent);
}

TuneCounts set_tuning(Module& model, const TuneOptions& options) {
  const std::int64_t layers = trunk_layers(model);
  SESAME_CHECK(options.unfreeze_top >= 0 && options.unfreeze_top <= layers, "tune",
               "{} layers are to be trained, but the trunk has {}", options.unfreeze_top, layers);
  SESAME_CHECK(options.mode != TuneMode::Adapter || !options.adapter.empty(), "tune",
               "which adapter is to be trained must be named");
  bool found = options.mode == TuneMode::Full || options.mode == TuneMode::Frozen;
  for (NamedParameter& p : model.parameters()) {
    const bool added = contains(p.name, ".adapters.") || contains(p.name, ".lora_");
    const bool whole =
        options.unfreeze_top > 0 && height(p.name, layers) > layers - options.unfreeze_top && !added;
    const bool by_mode = in_trunk(p.name) && trains(p.name, options);
    const bool is_norm = contains(p.name, ".LayerNorm.");
    found = found || (by_mode && (options.mode != TuneMode::Adapter || !is_norm));
    p.tensor.set_requires_grad(!in_trunk(p.name) || whole || by_mode);
    if (!p.tensor.requires_grad()) p.tensor.zero_grad();
  }
  SESAME_CHECK(
      found, "tune", "mode {} finds nothing to train in the trunk: {} was added before",
      tune_text(options.mode),
      options.mode == TuneMode::Adapter ? fmt::format("no adapter '{}'", options.adapter) : "nothing");
  return count_tuned(model);
}

TuneCounts count_tuned(const Module& model) {
  TuneCounts counts;
  for (const NamedParameter& p : model.parameters()) {
    const std::int64_t count = p.tensor.numel(), trained = p.tensor.requires_grad() ? count : 0;
    counts.total += count;
    counts.trained += trained;
    if (!in_trunk(p.name)) continue;
    counts.trunk_total += count;
    counts.trunk_trained += trained;
  }
  return counts;
}

bool trunk_is_frozen(const Module& model) { return count_tuned(model).trunk_trained == 0; }

std::int64_t trunk_layers(const Module& model) {
  std::int64_t layers = 0;
  for (const NamedParameter& p : model.parameters()) {
    if (p.name.starts_with(kLayer)) layers = std::max(layers, height(p.name, 0));
  }
  return layers;
}

double layer_decay_factor(const std::string& parameter, std::int64_t layers, double decay) {
  return std::pow(decay, static_cast<double>(layers + 1 - height(parameter, layers)));
}

std::int64_t unfrozen_groups(std::int64_t epoch, std::int64_t epochs, std::int64_t layers) {
  if (epoch >= epochs - 1) return layers + 1;
  const double share = static_cast<double>(epoch) / static_cast<double>(epochs - 1);
  return static_cast<std::int64_t>(std::lround(share * static_cast<double>(layers + 1)));
}

void unfreeze_groups(const std::vector<NamedParameter>& trainable, std::int64_t groups, std::int64_t layers) {
  for (NamedParameter p : trainable) {
    p.tensor.set_requires_grad(height(p.name, layers) > layers - groups);
    if (!p.tensor.requires_grad()) p.tensor.zero_grad();
  }
}

}  // namespace sesame
