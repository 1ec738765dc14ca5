#include "autograd/ops/crf.h"

#include <vector>

#include "autograd/ops/index_check.h"
#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"

namespace sesame {
namespace {

constexpr const char* kOp = "crf_nll";

void check_crf(const Tensor& emissions, const Tensor& tags, const Tensor& transitions, const Tensor& start,
               const Tensor& end, const Segments& segments, double normalizer) {
  check_floating(kOp, "emissions", emissions);
  SESAME_CHECK(emissions.dim() == 2, kOp, "emissions must be [W, K], got {}", emissions.shape());
  const std::int64_t rows = emissions.size(0), classes = emissions.size(1);
  SESAME_CHECK(tags.defined() && tags.dtype() == DType::Int64 && tags.shape() == Shape{rows}, kOp,
               "tags must be int64 {} for emissions {}, got {} {}", Shape{rows}, emissions.shape(),
               tags.defined() ? dtype_name(tags.dtype()) : "undefined",
               tags.defined() ? tags.shape() : Shape{});
  for (const Tensor* parameter : {&transitions, &start, &end}) {
    SESAME_CHECK(parameter->defined(), kOp, "transitions, start or end are undefined");
    check_same_kind(kOp, emissions, *parameter);
  }
  SESAME_CHECK(transitions.shape() == (Shape{classes, classes}) && start.shape() == Shape{classes} &&
                   end.shape() == Shape{classes},
               kOp, "{} classes want transitions {}, start and end {}, got {}, {} and {}", classes,
               (Shape{classes, classes}), Shape{classes}, transitions.shape(), start.shape(), end.shape());
  SESAME_CHECK(tags.device() == emissions.device() && segments.device() == emissions.device(), kOp,
               "emissions are on {}, tags on {}, segments on {}", emissions.device().name(),
               tags.device().name(), segments.device().name());
  SESAME_CHECK(segments.end() <= rows, kOp, "the segments reach to row {}, emissions {} have {} rows",
               segments.end(), emissions.shape(), rows);
  SESAME_CHECK(normalizer >= 0, kOp, "the normalizer must not be negative, got {}", normalizer);
  SESAME_CHECK(normalizer > 0 || segments.total() > 0, kOp,
               "a mean over no rows has no value: skip the batch or give a normalizer");
  check_indices(kOp, "tag {value} is outside of [0, {limit})", tags.contiguous(), classes);
}

double divisor(const Segments& segments, double normalizer) {
  return normalizer > 0 ? normalizer : static_cast<double>(segments.total());
}

CrfArgs crf_args(const Tensor& emissions, const Tensor& tags, const Tensor& transitions, const Tensor& start,
                 const Tensor& end, const Segments& segments) {
  CrfArgs args;
  args.dtype = emissions.dtype();
  args.classes = emissions.size(1);
  args.segments = segments.view();
  args.emissions = emissions.view().data;
  args.tags = static_cast<const std::int64_t*>(tags.view().data);
  args.transitions = transitions.view().data;
  args.start = start.view().data;
  args.end = end.view().data;
  return args;
}

}  // namespace

// Forward algorithm: a_1 = start + e_1, a_t+1[j] = e_t+1[j] + log sum_i exp(a_t[i] + T[i, j]),
// log Z = log sum_j exp(a_n[j] + end[j]). Backward from the marginals: with b_n = end and
// b_t[i] = log sum_j exp(T[i, j] + e_t+1[j] + b_t+1[j]),
//   p(y_t = k) = exp(a_t[k] + b_t[k] - log Z),
//   p(y_t = i, y_t+1 = j) = exp(a_t[i] + T[i, j] + e_t+1[j] + b_t+1[j] - log Z);
// each gradient is such an expectation minus the count in the tags, times dy / normalizer.
Tensor crf_nll(const Tensor& emissions, const Tensor& tags, const Tensor& transitions, const Tensor& start,
               const Tensor& end, const Segments& segments, double normalizer) {
  check_crf(emissions, tags, transitions, start, end, segments, normalizer);
  const double n = divisor(segments, normalizer);
  const Tensor e = emissions.detach().contiguous(), y = tags.contiguous(),
               t = transitions.detach().contiguous(), s = start.detach().contiguous(),
               f = end.detach().contiguous();
  const Tensor alpha = empty_like(e), loss = Tensor::empty({segments.count()}, e.options()),
               log_z = empty_like(loss);
  CrfArgs args = crf_args(e, y, t, s, f, segments);
  args.alpha = alpha.view().data;
  args.log_z = log_z.view().data;
  args.loss = loss.view().data;
  kernel(kOp, e, &KernelTable::crf)(args);
  const Tensor out = affine(sum(loss), 1 / n, 0);
  return record(kOp, out, {emissions, transitions, start, end}, {e, y, t, s, f, alpha, log_z},
                [segments, n](Backward& b) {
                  const Tensor &e = b.saved(0), &alpha = b.saved(5), &log_z = b.saved(6);
                  const Tensor de = zeros_like(e), dt = zeros_like(b.saved(2)), ds = zeros_like(b.saved(3)),
                               df = zeros_like(b.saved(4)), beta = empty_like(e);
                  CrfBackwardArgs args;
                  args.forward = crf_args(e, b.saved(1), b.saved(2), b.saved(3), b.saved(4), segments);
                  args.forward.alpha = alpha.view().data;
                  args.forward.log_z = log_z.view().data;
                  args.beta = beta.view().data;
                  args.d_emissions = de.view().data;
                  args.d_transitions = b.wanted(1) ? dt.view().data : nullptr;
                  args.d_start = ds.view().data;
                  args.d_end = df.view().data;
                  kernel(kOp, e, &KernelTable::crf_backward)(args);
                  const Tensor scale = affine(b.grad(), 1 / n, 0);
                  const Tensor gradients[] = {de, dt, ds, df};
                  for (std::size_t i = 0; i < 4; ++i) {
                    if (b.wanted(i)) b.give(i, mul(gradients[i], scale));
                  }
                });
}

namespace {

// log sum exp over the first axis of x [n, K] -> [1, K].
Tensor log_sum_exp(const Tensor& x) {
  const Tensor top = max(x.detach(), 0, true);
  return add(log(sum(exp(sub(x, top)), {0}, true)), top);
}

// The element (row, column) of x as [1, 1].
Tensor element(const Tensor& x, std::int64_t row, std::int64_t column) {
  return x.slice(0, row, row + 1).slice(1, column, column + 1);
}

}  // namespace

Tensor crf_nll_composed(const Tensor& emissions, const Tensor& tags, const Tensor& transitions,
                        const Tensor& start, const Tensor& end, const Segments& segments, double normalizer) {
  check_crf(emissions, tags, transitions, start, end, segments, normalizer);
  const std::int64_t classes = emissions.size(1);
  const std::vector<std::int64_t> y = tags.to_vector<std::int64_t>();
  const Tensor first = start.reshape({1, classes}), last = end.reshape({1, classes});
  Tensor total = affine(add(sum(emissions), sum(transitions)), 0, 0).reshape({1, 1});  // 0, tied to both
  for (std::int64_t i = 0; i < segments.count(); ++i) {
    const std::int64_t begin = segments.begin(i), length = segments.length(i);
    if (length == 0) continue;
    const auto tag = [&](std::int64_t t) { return y[static_cast<std::size_t>(begin + t)]; };
    const auto row = [&](std::int64_t t) { return emissions.slice(0, begin + t, begin + t + 1); };  // [1, K]
    Tensor alpha = add(first, row(0));
    Tensor score = add(element(first, 0, tag(0)), element(row(0), 0, tag(0)));
    for (std::int64_t t = 1; t < length; ++t) {
      alpha = add(log_sum_exp(add(alpha.transpose(0, 1), transitions)), row(t));
      score = add(score, add(element(transitions, tag(t - 1), tag(t)), element(row(t), 0, tag(t))));
    }
    score = add(score, element(last, 0, tag(length - 1)));
    total = add(total, sub(log_sum_exp(add(alpha, last).transpose(0, 1)), score));
  }
  return affine(total, 1 / divisor(segments, normalizer), 0).reshape({});
}

}  // namespace sesame
