// Every set with random start and with full fine-tuning, on all of its development data.
#include <nlohmann/json.hpp>

#include "tasks/study/runs.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kTokens = 700'000, kSeeds = 1;

Json measure(const StudyOptions& options, const StudyRun& run) {
  const RunSetup setup = set_up(run);
  const TrainResult result = train_run(run, setup, options.out);
  return {{"set", run.set.name},
          {"preset", run.set.run.preset},
          {"start", run.start},
          {"seed", run.seed},
          {"steps", run.steps},
          {"examples", result.state.examples},
          {"train_examples", setup.task->train_size()},
          {"dev_examples", setup.task->dev_size()},
          {"train_seconds", result.state.train_seconds},
          {"parameters", setup.model->parameter_count()},
          {"metric", setup.task->main_metric()},
          {"scores", Json::parse(result.dev.json())}};
}

}  // namespace

void study_table(const StudyOptions& options) {
  StudyOptions whole = options;
  whole.dev_limit = 0;
  const std::vector<StudySet> sets = study_sets(whole);
  const std::int64_t seeds = options.seeds > 0 ? options.seeds : kSeeds;
  const std::size_t runs = sets.size() * 2 * static_cast<std::size_t>(seeds);
  ResultFile results(options.out, "table");
  StudyProgress progress("table", runs);
  for (const StudySet& set : sets) {
    StudyRun run{.set = set,
                 .steps = planned_steps(options, set, options.tokens > 0 ? options.tokens : kTokens, runs)};
    for (const char* start : kStarts) {
      run.start = start;
      for (run.seed = 1; run.seed <= static_cast<std::uint64_t>(seeds); ++run.seed) {
        const bool done = results.has(run.key(), run.settings());
        progress.begin(fmt::format("{}, {} start, seed {}, {} updates", set.name, start, run.seed, run.steps),
                       done);
        if (!done) results.put(run.key(), run.settings(), measure(options, run));
      }
    }
  }
}

}  // namespace sesame
