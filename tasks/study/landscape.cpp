// The loss along the line from start to solution, on the plane through two solutions, and on a plane of
// filter-normalised random directions around the solution.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/io/strict_json.h"
#include "tasks/logging/progress.h"
#include "tasks/study/loss_surface.h"
#include "tasks/study/plane.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

// The development data of a set as the training data of a second task: a Task has a loss on those alone.
// Without a task, with a word on stderr, where its rows do not show all classes.
struct DevTask {
  DevTask(const StudyRun& run, const RunSetup& trained) : setup(set_up(as_training(run))) {
    const auto a = trained.model->parameters(), b = setup.model->parameters();
    bool same = a.size() == b.size() && trained.config.labels == setup.config.labels;
    for (std::size_t i = 0; same && i < a.size(); ++i) same = a[i].tensor.shape() == b[i].tensor.shape();
    if (same) return;
    setup.task.reset();
    say(
        fmt::format("{}: its rows do not show the classes of the training data: no surface on them (raise "
                    "--dev-limit)",
                    run.set.run.dev));
  }
  RunSetup setup;

 private:
  static StudyRun as_training(StudyRun run) {
    run.start = "random";  // it gets its weights from the trained one
    run.set.run.train = run.set.run.dev;
    run.set.run.limit = run.set.run.dev_limit;
    run.set.run.dev.clear();
    return run;
  }
};

// The two probes of a run.
struct Probes {
  Probes(const RunSetup& trained, const DevTask& dev_task, std::int64_t tokens)
      : train(*trained.task, tokens) {
    if (dev_task.setup.task) dev_probe.emplace(*dev_task.setup.task, tokens);
  }
  const LossProbe* dev() const { return dev_probe.has_value() ? &*dev_probe : nullptr; }
  LossProbe train;
  std::optional<LossProbe> dev_probe;
};

OrderedJson surface_json(const LossSurface& surface) {
  return {{"x", surface.x}, {"y", surface.y}, {"train", surface.train}, {"dev", surface.dev}};
}

OrderedJson head(const StudyRun& run, const char* kind, const Probes& probes) {
  return {{"kind", kind},
          {"set", run.set.name},
          {"start", run.start},
          {"seed", run.seed},
          {"steps", run.steps},
          {"lr", run.set.run.trainer.lr},
          {"train_probe", probes.train.examples()},
          {"dev_probe", probes.dev() != nullptr ? probes.dev()->examples() : 0}};
}

struct Study {
  StudyOptions options;  // with a value for all
  ResultFile& results;
  StudyProgress& progress;

  std::string settings(const StudyRun& run) const {
    return fmt::format("{} {} {} {} {}", run.settings(), options.probe_tokens, options.line_points,
                       options.grid, options.radius);
  }
  void line(const StudyRun& run);
  void planes(const StudyRun& run);
};

// Counts the points of a surface as it grows.
std::function<void()> counted(Progress& progress) {
  return [&progress, done = std::int64_t{0}]() mutable { progress.update(++done); };
}

void Study::line(const StudyRun& run) {
  const std::string key = run.key() + "/line";
  const bool done = results.has(key, settings(run));
  progress.begin(fmt::format("{}, {} start, seed {}: the line", run.set.name, run.start, run.seed), done);
  if (done) return;
  const RunSetup setup = set_up(run);
  const DevTask dev_task(run, setup);
  const Weights start = copy_weights(*setup.model);
  // The first seed's solution serves the planes and the path as well.
  if (run.seed == 1) {
    solution(run, setup, options.out);
  } else {
    train_run(run, setup, options.out);
  }
  const Weights along = difference(copy_weights(*setup.model), start);
  const Probes probes(setup, dev_task, options.probe_tokens);
  Progress bar("measuring", options.line_points, "points");
  const LossSurface surface =
      measure_line(probes.train, probes.dev(), start, along,
                   even_steps(-0.5, 1.5, static_cast<std::size_t>(options.line_points)), counted(bar));
  bar.finish();
  OrderedJson json = head(run, "line", probes);
  json["distance"] = norm(along);
  json["start_norm"] = norm(start);
  json.update(surface_json(surface));
  results.put(key, settings(run), std::move(json));
}

void Study::planes(const StudyRun& run) {
  const std::string keys[] = {run.key() + "/solutions", run.key() + "/random directions"};
  const bool done = results.has(keys[0], settings(run)) && results.has(keys[1], settings(run));
  progress.begin(fmt::format("{}, {} start: the planes", run.set.name, run.start), done);
  if (done) return;
  const RunSetup setup = set_up(run);
  const DevTask dev_task(run, setup);
  const SolutionPlane plane = solution_plane(run, setup, options.out);
  const Probes probes(setup, dev_task, options.probe_tokens);
  const auto grid = static_cast<std::size_t>(options.grid);
  Progress bar("measuring", 2 * options.grid * options.grid, "points");
  const auto point = counted(bar);

  OrderedJson json = head(run, "solutions", probes);
  json["unit"] = plane.unit;
  json["second"] = {plane.second.first, plane.second.second};
  json.update(surface_json(measure_plane(probes.train, probes.dev(), plane.start, plane.along,
                                         even_steps(-0.5, 1.5, grid), plane.across,
                                         even_steps(-0.5, 1.5, grid), point)));
  results.put(keys[0], settings(run), std::move(json));

  const Weights centre = copy_weights(*setup.model);
  const std::vector<double> steps = even_steps(-options.radius, options.radius, grid);
  json = head(run, "random directions", probes);
  json.update(surface_json(measure_plane(probes.train, probes.dev(), centre, filter_normalised(centre, 1),
                                         steps, filter_normalised(centre, 2), steps, point)));
  bar.finish();
  results.put(keys[1], settings(run), std::move(json));
}

constexpr StudyBudget kLandscapeBudget = {.tokens = 700'000, .seeds = 2};

}  // namespace

// The runs of landscape and path must agree in their steps.
StudyRun landscape_run(const StudyOptions& options, const StudySet& set, std::size_t sets,
                       const std::string& start) {
  const auto [tokens, seeds] = budget_of(options, kLandscapeBudget);
  const std::size_t runs = sets * 2 * static_cast<std::size_t>(seeds + 1);
  return {.set = set,
          .start = start,
          .seed = 1,
          .steps = planned_steps(options, set, tokens, runs)};
}

void study_landscape(const StudyOptions& options) {
  const std::vector<StudySet> sets = study_sets(options, "landscape", kDevExamples);
  const std::int64_t seeds = budget_of(options, kLandscapeBudget).seeds;
  ResultFile results(options.out, "landscape");
  StudyProgress progress("landscape", sets.size() * 2 * static_cast<std::size_t>(seeds + 1));
  Study study{options, results, progress};
  // Every point of a surface is a pass over these tokens: more sets, fewer for each.
  if (options.probe_tokens == 0)
    study.options.probe_tokens = std::max<std::int64_t>(300, 2400 / static_cast<std::int64_t>(sets.size()));
  for (const StudySet& set : sets) {
    StudyRun run = landscape_run(options, set, sets.size(), "");
    for (const char* start : kStarts) {
      run.start = start;
      for (run.seed = 1; run.seed <= static_cast<std::uint64_t>(seeds); ++run.seed) study.line(run);
      run.seed = 1;
      study.planes(run);
    }
  }
}

}  // namespace sesame
