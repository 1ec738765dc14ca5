// Every set with random start, with a frozen trunk and with full fine-tuning, on all of its development data.
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/study/modes.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

OrderedJson measure_table(const StudyOptions& options, const StudyRun& run) {
  const RunSetup setup = set_up(run);
  const TrainResult result = train_run(run, setup, options.out);
  return {{"set", run.set.name},
          {"preset", run.set.run.preset},
          {"start", run.mode.empty() ? run.start : run.mode},
          {"seed", run.seed},
          {"steps", run.steps},
          {"examples", result.state.examples},
          {"train_examples", setup.task->train_size()},
          {"dev_examples", setup.task->dev_size()},
          {"train_seconds", result.state.train_seconds},
          {"parameters", setup.model->parameter_count()},
          {"trained", setup.model->parameter_count(true)},
          {"metric", setup.task->main_metric()},
          {"scores", json_or_discarded<OrderedJson>(result.dev.json())}};
}

}  // namespace

void study_table(const StudyOptions& options) {
  const std::vector<StudySet> sets = study_sets(options, "table", 0);
  const auto [tokens, seeds] = budget_of(options, {.tokens = 600'000, .seeds = 1});
  // The frozen trunk runs forward only, and once: it does not count when the tokens are shared out.
  const std::size_t runs = sets.size() * 2 * static_cast<std::size_t>(seeds);
  ResultFile results(options.out, "table");
  StudyProgress progress("table", sets.size() * 3 * static_cast<std::size_t>(seeds));
  for (const StudySet& set : sets) {
    const std::int64_t steps =
        planned_steps(options, set, tokens, runs);
    StudyRun frozen = mode_run(set, frozen_mode(set.run), steps, 1);
    frozen.mode = "frozen";
    for (StudyRun run : {StudyRun{.set = set, .steps = steps},
                         StudyRun{.set = set, .start = "random", .steps = steps}, frozen}) {
      for (run.seed = 1; run.seed <= static_cast<std::uint64_t>(seeds); ++run.seed) {
        const bool done = results.has(run.key(), run.settings());
        progress.begin(fmt::format("{}, {} start, seed {}, {} updates", set.name,
                                   run.mode.empty() ? run.start : run.mode, run.seed, run.steps),
                       done);
        if (!done) results.put(run.key(), run.settings(), measure_table(options, run));
      }
    }
  }
}

}  // namespace sesame
