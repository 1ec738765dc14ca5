#include "tasks/study/loss_surface.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/check.h"
#include "autograd/random.h"

namespace sesame {
namespace {

std::size_t index_of(const std::vector<double>& x, double at) {
  const auto closer = [at](double a, double b) { return std::abs(a - at) < std::abs(b - at); };
  return static_cast<std::size_t>(std::min_element(x.begin(), x.end(), closer) - x.begin());
}

}  // namespace

LossProbe::LossProbe(Task& task, std::int64_t tokens) : task_(task) {
  const std::int64_t size = task.train_size();
  SESAME_CHECK(size > 0, "study", "a set without examples has no loss");
  // Drawn, always the same ones: files are often sorted, and even distances could fall in step with that.
  std::vector<std::int64_t> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  RandomStream random(hash_text("loss probe"));
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < order.size() && (i == 0 || sum < tokens); ++i) {
    std::swap(order[i], order[i + random.below(order.size() - i)]);
    sum += task.train_length(order[i]);
    examples_.push_back(order[i]);
  }
  std::sort(examples_.begin(), examples_.end());
  terms_ = task.loss_terms(examples_);
}

double LossProbe::loss() const {
  const NoGradGuard no_grad;
  const bool training = task_.model().training();
  task_.model().eval();
  const double value = task_.loss(examples_, 0, terms_).loss.item();
  task_.model().train(training);
  return value;
}

std::vector<double> even_steps(double low, double high, std::size_t count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1));
  }
  return values;
}

LossSurface measure_plane(const LossProbe& train, const LossProbe* dev, const Weights& origin,
                          const Weights& along, const std::vector<double>& x, const Weights& across,
                          const std::vector<double>& y, const std::function<void()>& point) {
  const KeepWeights keep_train(train.model()), keep_dev(dev != nullptr ? dev->model() : train.model());
  LossSurface surface{.x = x, .y = y, .train = {}, .dev = {}};
  Weights row;
  for (const Tensor& tensor : origin) row.push_back(tensor.clone());
  for (std::size_t j = 0; j < y.size(); ++j) {
    // From the origin anew in each row, so that roundings do not add up.
    if (!across.empty()) {
      for (std::size_t i = 0; i < row.size(); ++i) row[i].copy_(origin[i]);
      add_to(row, y[j], across);
    }
    for (const double step : x) {
      set_weights(train.model(), row, step, along);
      surface.train.push_back(train.loss());
      if (dev != nullptr) {
        set_weights(dev->model(), row, step, along);
        surface.dev.push_back(dev->loss());
      }
      if (point) point();
    }
  }
  return surface;
}

LossSurface measure_line(const LossProbe& train, const LossProbe* dev, const Weights& origin,
                         const Weights& along, const std::vector<double>& x,
                         const std::function<void()>& point) {
  return measure_plane(train, dev, origin, along, x, {}, {0}, point);
}

double basin_width(const std::vector<double>& x, const std::vector<double>& loss, double level, double at) {
  const std::size_t middle = index_of(x, at);
  if (!(loss[middle] <= level)) return 0;
  // The place between the points `in` (below) and `out` (above) where the level is met.
  const auto crossing = [&](std::size_t in, std::size_t out) {
    const double rise = loss[out] - loss[in];
    const double share = std::isfinite(rise) && rise > 0 ? (level - loss[in]) / rise : 0;
    return x[in] + share * (x[out] - x[in]);
  };
  std::size_t first = middle, last = middle;
  while (first > 0 && loss[first - 1] <= level) --first;
  while (last + 1 < x.size() && loss[last + 1] <= level) ++last;
  const double left = first > 0 ? crossing(first, first - 1) : x[first];
  const double right = last + 1 < x.size() ? crossing(last, last + 1) : x[last];
  return right - left;
}

double curvature(const std::vector<double>& x, const std::vector<double>& loss, double at) {
  const std::size_t i = index_of(x, at);
  SESAME_CHECK(i > 0 && i + 1 < x.size(), "study", "the curvature is asked for at the end of the line");
  const double step = x[i + 1] - x[i];
  return (loss[i + 1] - 2 * loss[i] + loss[i - 1]) / (step * step);
}

double share_below(const std::vector<double>& loss, double level) {
  const auto below = std::count_if(loss.begin(), loss.end(), [level](double v) { return v <= level; });
  return static_cast<double>(below) / static_cast<double>(std::max<std::size_t>(1, loss.size()));
}

}  // namespace sesame
