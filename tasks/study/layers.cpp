// Which layers a task reads: the weights of a learned mix of all layers of a frozen model (Peters et al.
// 2018, equation 1; Tenney et al. 2019).
#include <nlohmann/json.hpp>
#include <optional>

#include "models/io/strict_json.h"
#include "tasks/study/modes.h"
#include "tasks/study/store.h"
#include "tasks/study/weights.h"

namespace sesame {
namespace {

constexpr std::int64_t kLeastUpdates = 600;  // in fewer the mix does not leave the place where it began

StudyRun mix_run(const StudySet& set, std::int64_t steps) {
  TuningMode mode{.name = "mix", .label = "mix", .family = kFrozenTrunk, .options = set.run, .frozen = true};
  mode.options.tune = "frozen";
  mode.options.features = "mix";
  // Layers of longer states would count for more than their weights say.
  mode.options.features_norm = true;
  if (mode.options.task == "classify") mode.options.pool = "mean";
  mode.options.trainer.lr *= 10;
  StudyRun run = mode_run(set, mode, steps, 1);
  run.steps = std::max(run.steps, kLeastUpdates);
  return run;
}

// One model and its kept features for all seeds of a set: what differs is the head.
struct MixStudy {
  const StudyOptions& options;
  std::optional<RunSetup> shared = {};

  OrderedJson measure(const StudyRun& run) {
    RunSetup own = set_up(run);
    if (shared.has_value()) {
      set_weights(*shared->model, copy_weights(*own.model));
    } else {
      shared = std::move(own);
    }
    const TrainResult result = train_run(run, *shared, options.out);
    Task& task = *shared->task;
    return {{"set", run.set.name},
            {"task", run.set.run.task},
            {"seed", run.seed},
            {"steps", run.steps},
            {"train_examples", task.train_size()},
            {"dev_examples", task.dev_size()},
            {"metric", task.main_metric()},
            {"score", result.dev.at(task.main_metric())},
            {"train_seconds", result.state.train_seconds},
            {"layer_weights", task.layer_weights()}};
  }
};

}  // namespace

void study_layers(const StudyOptions& options) {
  const std::vector<StudySet> sets = study_sets(options, "layers", kDevExamples);
  const auto [tokens, seeds] = budget_of(options, {.tokens = 300'000, .seeds = 3});
  ResultFile results(options.out, "layers");
  StudyProgress progress("layers", sets.size() * static_cast<std::size_t>(seeds));
  for (const StudySet& set : sets) {
    StudyRun run =
        mix_run(set, planned_steps(options, set, tokens, sets.size()));
    MixStudy study{options};
    for (run.seed = 1; run.seed <= static_cast<std::uint64_t>(seeds); ++run.seed) {
      const bool done = results.has(run.key(), run.settings());
      progress.begin(fmt::format("{}, seed {}, {} updates", set.name, run.seed, run.steps), done);
      if (!done) results.put(run.key(), run.settings(), study.measure(run));
    }
  }
}

}  // namespace sesame
