#include "tasks/study/plane.h"

#include <algorithm>
#include <cmath>

#include "autograd/check.h"

namespace sesame {

SolutionPlane::Place SolutionPlane::place(const Weights& weights) const {
  const Weights moved = difference(weights, start);
  const double square = unit * unit;
  const double x = dot(moved, along) / square, y = dot(moved, across) / square;
  const double rest = dot(moved, moved) / square - x * x - y * y;
  return {x, y, std::sqrt(std::max(0.0, rest))};
}

SolutionPlane solution_plane(const StudyRun& run, const RunSetup& setup, const std::string& out) {
  SolutionPlane plane;
  plane.start = copy_weights(*setup.model);
  StudyRun other = run;
  other.order = run.seed + 1000;
  plane.across = difference(solution(other, setup, out), plane.start);
  set_weights(*setup.model, plane.start);
  const Weights first = solution(run, setup, out);
  plane.along = difference(first, plane.start);
  plane.unit = norm(plane.along);
  SESAME_CHECK(plane.unit > 0, "study", "{}: training moved no weight", run.key());
  const double x = dot(plane.across, plane.along) / (plane.unit * plane.unit);
  add_to(plane.across, -x, plane.along);
  const double height = norm(plane.across);
  plane.second = {x, height / plane.unit};
  if (height > 0) scale(plane.across, plane.unit / height);
  return plane;
}

}  // namespace sesame
