// The loss as a function of the weights: along lines and on planes, and the numbers that describe its shape.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "tasks/study/weights.h"
#include "tasks/train/task.h"

namespace sesame {

// The loss of a fixed part of a task's training examples: evaluation mode, no graph, one packed pass.
class LossProbe {
 public:
  // Examples drawn with a fixed seed, just as many as hold `tokens` tokens.
  LossProbe(Task& task, std::int64_t tokens);

  double loss() const;
  std::int64_t examples() const { return static_cast<std::int64_t>(examples_.size()); }
  Module& model() const { return task_.model(); }

 private:
  Task& task_;
  std::vector<std::int64_t> examples_;
  double terms_ = 0;
};

// Losses on a grid; a line is a grid of one row. Element [row * x.size() + column].
struct LossSurface {
  std::vector<double> x, y;
  std::vector<double> train, dev;  // dev may be empty
};

// `count` >= 2 numbers from low to high.
std::vector<double> even_steps(double low, double high, std::size_t count);

// The losses at origin + x * along + y * across. Both models get the weights (`dev` may be null) and have
// their own back afterwards, bit for bit. `point` is called after each.
LossSurface measure_plane(const LossProbe& train, const LossProbe* dev, const Weights& origin,
                          const Weights& along, const std::vector<double>& x, const Weights& across,
                          const std::vector<double>& y, const std::function<void()>& point);
LossSurface measure_line(const LossProbe& train, const LossProbe* dev, const Weights& origin,
                         const Weights& along, const std::vector<double>& x,
                         const std::function<void()>& point);

// How long the piece of the line around x = at is on which the loss stays at or below `level`; 0 where it is
// above it at `at` already. Between the points the loss is taken as straight; the ends of the line cut it.
double basin_width(const std::vector<double>& x, const std::vector<double>& loss, double level, double at);
// Second difference of the loss around x = at (an inner point of an even line), per unit of x squared.
double curvature(const std::vector<double>& x, const std::vector<double>& loss, double at);
// The share of the grid's points with a loss at or below `level`.
double share_below(const std::vector<double>& loss, double level);

}  // namespace sesame
