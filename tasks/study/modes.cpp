// What is trained: the score against the number of trained parameters (figure 1 of Houlsby et al. 2019), with
// the time, the stored bytes and the memory of each mode.
#include "tasks/study/modes.h"

#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "models/tuning.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

// The list grows mode by mode.
struct ModeList {
  const RunOptions& base;
  std::vector<TuningMode> modes = {};

  RunOptions& add(const char* family, const std::string& name, const std::string& label,
                  const std::string& tune, bool small = true) {
    modes.push_back({.name = name, .label = label, .family = family, .options = base});
    TuningMode& mode = modes.back();
    mode.options.tune = tune;
    mode.frozen = tune == "frozen";
    if (small) mode.options.trainer.lr *= 10;
    return mode.options;
  }
};

OrderedJson measure_modes(const StudyOptions& options, const StudyRun& run, const TuningMode& mode) {
  RunSetup setup = set_up(run);
  const TuneCounts counts = count_tuned(*setup.model);
  const MemoryPeak peak;
  const TrainResult result = train_run(run, setup, options.out);
  const std::int64_t memory = peak.bytes();
  return {{"set", run.set.name},
          {"mode", mode.name},
          {"label", mode.label},
          {"family", mode.family},
          {"seed", run.seed},
          {"steps", run.steps},
          {"lr", run.set.run.trainer.lr},
          {"train_examples", setup.task->train_size()},
          {"examples", result.state.examples},
          {"dev_examples", setup.task->dev_size()},
          {"metric", setup.task->main_metric()},
          {"score", result.dev.at(setup.task->main_metric())},
          {"trained", counts.trained},
          {"parameters", counts.total},
          {"train_seconds", result.state.train_seconds},
          {"stored_bytes", stored_bytes(run, setup, options.out)},
          {"peak_memory_bytes", memory}};
}

void add_places(ModeList& list, std::int64_t layers) {
  const auto add = [&](const std::string& name, const std::string& label) -> RunOptions& {
    RunOptions& o = list.add(kPlaces, "adapter 64, " + name, label, "adapter");
    o.adapter_norms = "off";  // they would be trained in all places
    return o;
  };
  add("everywhere", "all places");
  add("after attention", "attention").adapter_place = "attention";
  add("after feed-forward", "feed-forward").adapter_place = "feed-forward";
  const std::int64_t half = layers / 2;
  if (half == 0) return;
  add("lower half", "lower").adapter_layers = fmt::format("1-{}", half);
  add("upper half", "upper").adapter_layers = fmt::format("{}-{}", half + 1, layers);
}

}  // namespace

std::vector<TuningMode> tuning_modes(const RunOptions& base, std::int64_t layers) {
  ModeList list{.base = base};
  list.add(kFrozenTrunk, "frozen", "frozen", "frozen");
  const bool pools = base.task == "classify";
  if (pools) list.add(kFrozenTrunk, "frozen, mean of tokens", "mean", "frozen").pool = "mean";
  RunOptions& mix = list.add(kFrozenTrunk, "frozen, mix of layers", "mix", "frozen");
  mix.features = "mix";
  if (pools) mix.pool = "mean";
  for (const std::int64_t size : {2, 8, 64, 256}) {
    list.add(kAdapters, fmt::format("adapter {}", size), std::to_string(size), "adapter").adapter_size = size;
  }
  add_places(list, layers);
  list.add(kSmallParts, "BitFit", "BitFit", "bitfit");
  list.add(kSmallParts, "LoRA 8", "LoRA", "lora").lora_rank = 8;
  std::int64_t before = 0;
  for (const std::int64_t top : {std::int64_t{1}, layers / 3, 2 * layers / 3}) {
    if (top <= before || top >= layers) continue;
    before = top;
    list.add(kTopLayers, fmt::format("top {} of {} layers", top, layers), fmt::format("top {}", top), "full",
             false)
        .unfreeze_top = top;
  }
  list.add(kTopLayers, "full", "full", "full", false);
  return list.modes;
}

TuningMode frozen_mode(const RunOptions& base) {
  TuningMode found;
  for (const TuningMode& mode : tuning_modes(base, 0)) {
    if (mode.frozen && mode.options.features == "last") found = mode;
  }
  return found;
}

StudyRun mode_run(const StudySet& set, const TuningMode& mode, std::int64_t steps, std::uint64_t seed) {
  StudyRun run{.set = set, .seed = seed, .steps = mode.frozen ? kFrozenPasses * steps : steps};
  run.mode = mode.name;
  run.set.run = mode.options;
  const std::int64_t most = steps * mode.options.trainer.batch_size;
  run.set.run.limit = set.run.limit > 0 ? std::min(set.run.limit, most) : most;
  if (mode.options.features == "mix") run.mix_lr = kMixRate;
  return run;
}

void study_modes(const StudyOptions& options) {
  const std::vector<StudySet> sets = study_sets(options, "modes", 0);
  const auto [tokens, seeds] = budget_of(options, {.tokens = 600'000, .seeds = 1});
  std::vector<std::vector<TuningMode>> modes;
  std::size_t runs = 0;
  for (const StudySet& set : sets) {
    modes.push_back(tuning_modes(set.run, read_bert_config(set.run.model).num_hidden_layers));
    runs += modes.back().size() * static_cast<std::size_t>(seeds);
  }
  ResultFile results(options.out, "modes");
  StudyProgress progress("modes", runs);
  for (std::size_t s = 0; s < sets.size(); ++s) {
    const std::int64_t steps =
        planned_steps(options, sets[s], tokens, runs);
    for (const TuningMode& mode : modes[s]) {
      for (std::int64_t seed = 1; seed <= seeds; ++seed) {
        const StudyRun run = mode_run(sets[s], mode, steps, static_cast<std::uint64_t>(seed));
        const bool done = results.has(run.key(), run.settings());
        progress.begin(fmt::format("{}, {}, seed {}, {} updates", run.set.name, mode.name, seed, run.steps),
                       done);
        if (!done) results.put(run.key(), run.settings(), measure_modes(options, run, mode));
      }
    }
  }
}

}  // namespace sesame
