// Training loss and dev score over the updates, from the pretrained weights and from random ones.
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/study/runs.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

OrderedJson measure_curves(const StudyOptions& options, const StudyRun& run) {
  const RunSetup setup = set_up(run);
  Task& task = *setup.task;
  const std::string metric = task.main_metric();
  OrderedJson losses = OrderedJson::array(), scores = OrderedJson::array();
  const auto score = [&](std::int64_t step) {
    task.model().eval();
    scores.push_back({step, task.evaluate().at(metric)});
    task.model().train();
  };
  score(0);
  const TrainResult result = train_run(run, setup, options.out, [&](std::int64_t step, double loss) {
    losses.push_back(loss);
    // Scores at even distances; that of the end is the trainer's.
    const bool due = step * options.evaluations / run.steps != (step - 1) * options.evaluations / run.steps;
    if (due && step < run.steps) score(step);
  });
  scores.push_back({run.steps, result.dev.at(metric)});
  return {{"set", run.set.name},
          {"start", run.start},
          {"seed", run.seed},
          {"task", run.set.run.task},
          {"steps", run.steps},
          {"batch_size", run.set.run.trainer.batch_size},
          {"lr", run.set.run.trainer.lr},
          {"train_examples", task.train_size()},
          {"dev_examples", task.dev_size()},
          {"metric", metric},
          {"train_seconds", result.state.train_seconds},
          {"loss", losses},
          {"score", scores}};
}

}  // namespace

void study_curves(const StudyOptions& options) {
  const std::vector<StudySet> sets = study_sets(options, "curves", kDevExamples);
  const auto [tokens, seeds] = budget_of(options, {.tokens = 600'000, .seeds = 3});
  const std::size_t runs = sets.size() * 2 * static_cast<std::size_t>(seeds);
  ResultFile results(options.out, "curves");
  StudyProgress progress("curves", runs);
  for (const StudySet& set : sets) {
    const std::int64_t steps =
        planned_steps(options, set, tokens, runs);
    for (const char* start : kStarts) {
      for (std::int64_t seed = 1; seed <= seeds; ++seed) {
        const StudyRun run{
            .set = set, .start = start, .seed = static_cast<std::uint64_t>(seed), .steps = steps};
        const std::string settings = fmt::format("{} {}", run.settings(), options.evaluations);
        progress.begin(fmt::format("{}, {} start, seed {}, {} updates", set.name, start, seed, steps),
                       results.has(run.key(), settings));
        if (!results.has(run.key(), settings)) results.put(run.key(), settings, measure_curves(options, run));
      }
    }
  }
}

}  // namespace sesame
