// The plane through the start of a fine-tuning and two of its solutions.
#pragma once

#include <utility>

#include "tasks/study/runs.h"

namespace sesame {

// From one start two fine-tunings lead to two solutions that differ in the order of the examples and in
// dropout. `along` is the way to the first one; `across` lies in the plane with the second one, at right
// angles to `along` and as long. So (0, 0) is the start, (1, 0) the first solution, and distances look alike
// in both directions.
struct SolutionPlane {
  Weights start, along, across;
  double unit = 0;                   // length of `along`
  std::pair<double, double> second;  // where the second solution lies

  // The place of these weights in the plane, and how far beside it they are, all in units.
  struct Place {
    double x = 0, y = 0, beside = 0;
  };
  Place place(const Weights& weights) const;
};

// Trains both (or takes them from OUT/weights). `start` are the weights before training. The model holds the
// first solution afterwards.
SolutionPlane solution_plane(const StudyRun& run, const RunSetup& setup, const std::string& out);

}  // namespace sesame
