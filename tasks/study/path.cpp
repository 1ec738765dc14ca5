// The optimiser's way from the start to the solution, seen in the plane that landscape has measured.
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/io/strict_json.h"
#include "tasks/study/plane.h"
#include "tasks/study/store.h"

namespace sesame {
namespace {

OrderedJson follow(const StudyOptions& options, const StudyRun& run) {
  const RunSetup setup = set_up(run);
  const SolutionPlane plane = solution_plane(run, setup, options.out);
  const Weights solution = copy_weights(*setup.model);
  set_weights(*setup.model, plane.start);
  // The same training again, this time with its end in view.
  OrderedJson points = OrderedJson::array({{0, 0.0, 0.0, 0.0}}), losses = OrderedJson::array();
  Weights last = copy_weights(*setup.model);
  double length = 0;
  train_run(run, setup, options.out, [&](std::int64_t step, double loss) {
    losses.push_back(loss);
    if (step * options.snapshots / run.steps == (step - 1) * options.snapshots / run.steps) return;
    const Weights now = copy_weights(*setup.model);
    const SolutionPlane::Place place = plane.place(now);
    points.push_back({step, place.x, place.y, place.beside});
    length += norm(difference(now, last)) / plane.unit;
    last = now;
  });
  const double missed = norm(difference(copy_weights(*setup.model), solution)) / plane.unit;
  return {{"set", run.set.name},
          {"start", run.start},
          {"seed", run.seed},
          {"steps", run.steps},
          {"unit", plane.unit},
          {"length", length},
          {"missed", missed},  // 0: the repeated training ended in the same weights
          {"second", {plane.second.first, plane.second.second}},
          {"points", points},
          {"loss", losses}};
}

}  // namespace

void study_path(const StudyOptions& options) {
  study_landscape(options);
  const std::vector<StudySet> sets = study_sets(options, "landscape", kDevExamples);
  ResultFile results(options.out, "path");
  StudyProgress progress("path", sets.size() * 2);
  for (const StudySet& set : sets) {
    StudyRun run = landscape_run(options, set, sets.size(), "");
    for (const char* start : kStarts) {
      run.start = start;
      const std::string settings = fmt::format("{} {}", run.settings(), options.snapshots);
      const bool done = results.has(run.key(), settings);
      progress.begin(fmt::format("{}, {} start, {} updates", set.name, start, run.steps), done);
      if (!done) results.put(run.key(), settings, follow(options, run));
    }
  }
}

}  // namespace sesame
