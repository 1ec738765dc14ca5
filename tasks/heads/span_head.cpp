#include "tasks/heads/span_head.h"

#include "autograd/check.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/rows.h"
#include "autograd/ops/segment_ops.h"

namespace sesame {
namespace {

// For each of `rows` rows the number of its segment.
Tensor segment_numbers(const Segments& segments, std::int64_t rows) {
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(rows), 0);
  for (std::int64_t s = 0; s < segments.count(); ++s) {
    const auto begin = numbers.begin() + segments.begin(s);
    std::fill(begin, begin + segments.length(s), s);
  }
  return Tensor::from(numbers, segments.device());
}

// log(sum of exp(x)) over the rows of each segment, per column: x [T, C] -> [n, C].
Tensor segment_logsumexp(const Tensor& x, const Segments& segments) {
  const Tensor highest = segment_max(x.detach(), segments);  // a constant: it cancels out of the gradient
  const Tensor shifted = x - gather_rows(highest, segment_numbers(segments, x.size(0)));
  return log(segment_sum(exp(shifted), segments)) + highest;
}

}  // namespace

SpanHead::SpanHead(const SpanHeadOptions& options)
    : features(options.features, options.layers, options.width) {
  const std::int64_t width = features.width();
  if (features.weights.defined()) register_module("features", features);
  if (!options.mlp) {
    linear = std::make_unique<Linear>(width, 2);
    if (!is_standard()) register_module("qa_outputs", *linear);
    return;
  }
  const std::vector<std::int64_t> widths = {width, width, 1};
  const MlpOptions mlp{.activation = Activation::Gelu, .dropout = options.dropout};
  start = std::make_unique<Mlp>(widths, mlp);
  end = std::make_unique<Mlp>(widths, mlp);
  register_module("start", *start);
  register_module("end", *end);
}

Tensor SpanHead::forward(const Tensor& states, const Segments& segments) const {
  if (linear) return linear->forward(states);
  return concat({start->forward(states, segments.token_keys()), end->forward(states, segments.token_keys())},
                1);
}

Tensor SpanHead::loss(const Tensor& logits, const SpanTargets& targets, const Segments& segments,
                      double normalizer) const {
  const auto n = static_cast<std::size_t>(segments.count());
  SESAME_CHECK(targets.starts.size() == n && targets.ends.size() == n, "SpanHead",
               "{} starts and {} ends for {} sequences", targets.starts.size(), targets.ends.size(), n);
  std::vector<std::int64_t> picked;  // in logits as [2 T]: start and end of each row side by side
  for (std::size_t s = 0; s < n; ++s) {
    const std::int64_t begin = segments.begin(static_cast<std::int64_t>(s));
    const std::int64_t length = segments.length(static_cast<std::int64_t>(s));
    for (const std::int64_t position : {targets.starts[s], targets.ends[s]}) {
      SESAME_CHECK(position >= 0 && position < length, "SpanHead", "position {} in a sequence of {} tokens",
                   position, length);
    }
    picked.push_back(2 * (begin + targets.starts[s]));
    picked.push_back(2 * (begin + targets.ends[s]) + 1);
  }
  const Tensor right =
      gather_rows(logits.reshape({2 * logits.size(0), 1}), Tensor::from(picked, logits.device()));
  return affine(sum(segment_logsumexp(logits, segments)) - sum(right), 0.5 / normalizer, 0);
}

}  // namespace sesame
