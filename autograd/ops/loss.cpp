#include "autograd/ops/loss.h"

#include <algorithm>
#include <vector>

#include "autograd/ops/index_check.h"
#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"

namespace sesame {
namespace {

void check_cross_entropy(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& options) {
  constexpr const char* op = "cross_entropy";
  check_floating(op, "logits", logits);
  SESAME_CHECK(targets.defined(), op, "targets are undefined");
  SESAME_CHECK(logits.dim() == 2, op, "logits must be [N, C], got {}", logits.shape());
  SESAME_CHECK(targets.dtype() == DType::Int64 && targets.shape() == Shape{logits.size(0)}, op,
               "targets must be int64 {} for logits {}, got {} {}", Shape{logits.size(0)}, logits.shape(),
               dtype_name(targets.dtype()), targets.shape());
  SESAME_CHECK(logits.device() == targets.device(), op, "logits are on {}, targets on {}",
               logits.device().name(), targets.device().name());
  SESAME_CHECK(options.label_smoothing >= 0 && options.label_smoothing < 1, op,
               "label smoothing must be in [0, 1), got {}", options.label_smoothing);
  SESAME_CHECK(options.normalizer >= 0, op, "the normalizer must not be negative, got {}",
               options.normalizer);
}

// What the sum over rows is divided by; throws for targets that are no class (see index_check.h). Without a
// normalizer the targets are counted on the host.
double cross_entropy_normalizer(const Tensor& logits, const Tensor& targets,
                                const CrossEntropyOptions& options) {
  check_indices("cross_entropy", "target {value} at row {row} is outside of [0, {limit})",
                targets.contiguous(), logits.size(1), options.ignore_index);
  if (options.normalizer > 0) return options.normalizer;
  const std::vector<std::int64_t> host = targets.to_vector<std::int64_t>();
  const auto counted =
      static_cast<std::int64_t>(host.size()) - std::count(host.begin(), host.end(), options.ignore_index);
  SESAME_CHECK(
      counted > 0, "cross_entropy",
      "none of {} rows has a target to learn from (ignore_index {}): skip the batch or give a normalizer",
      host.size(), options.ignore_index);
  return static_cast<double>(counted);
}

CrossEntropyArgs cross_entropy_args(const Tensor& logits, const Tensor& targets,
                                    const CrossEntropyOptions& options) {
  CrossEntropyArgs args;
  args.dtype = logits.dtype();
  args.rows = logits.size(0);
  args.cols = logits.size(1);
  args.logits = logits.view().data;
  args.targets = static_cast<const std::int64_t*>(targets.view().data);
  args.ignore_index = options.ignore_index;
  args.smoothing = options.label_smoothing;
  return args;
}

// The divisor of a mean over all elements, or the one given.
double element_normalizer(const char* op, const Tensor& x, double normalizer) {
  SESAME_CHECK(normalizer >= 0, op, "the normalizer must not be negative, got {}", normalizer);
  if (normalizer > 0) return normalizer;
  SESAME_CHECK(x.numel() > 0, op, "a mean over no elements {} has no value: give a normalizer", x.shape());
  return static_cast<double>(x.numel());
}

void check_pair(const char* op, const Tensor& x, const Tensor& target) {
  check_floating(op, "the prediction", x);
  check_floating(op, "the target", target);
  SESAME_CHECK(x.shape() == target.shape(), op,
               "shapes differ: prediction {}, target {}; nothing is broadcast", x.shape(), target.shape());
  check_same_kind(op, x, target);
}

// grad / normalizer for each element: a scalar spread over `shape`.
Tensor spread(const Tensor& grad, double normalizer, const Shape& shape) {
  const Tensor scaled = affine(grad, 1 / normalizer, 0);
  const Tensor full = Tensor::empty(shape, grad.options());
  kernels(grad.device()).copy(full.view(), scaled.expand(shape).view());
  return full;
}

}  // namespace

// loss_i = logsumexp(x_i) - (1 - s) x_i[t_i] - s mean_j x_i[j]; y = sum of loss_i / normalizer.
// dx_i = dy / normalizer (softmax(x_i) - (1 - s) onehot(t_i) - s / C), 0 for ignored rows.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets, const CrossEntropyOptions& options) {
  check_cross_entropy(logits, targets, options);
  const double normalizer = cross_entropy_normalizer(logits, targets, options);
  const Tensor x = logits.detach().contiguous(), classes = targets.contiguous();
  const Tensor loss = Tensor::empty({x.size(0)}, x.options());
  const Tensor lse = Tensor::empty({x.size(0)}, statistics_of(x));
  CrossEntropyArgs args = cross_entropy_args(x, classes, options);
  args.loss = loss.view().data;
  args.lse = lse.view().data;
  kernel("cross_entropy", x, &KernelTable::cross_entropy)(args);
  const Tensor y = affine(sum(loss), 1 / normalizer, 0);
  return record("cross_entropy", y, {logits}, {x, classes, lse}, [options, normalizer](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor &x = b.saved(0), &lse = b.saved(2);
    const Tensor dloss = spread(b.grad(), normalizer, lse.shape()), dx = empty_like(x);
    CrossEntropyBackwardArgs args;
    args.forward = cross_entropy_args(x, b.saved(1), options);
    args.forward.lse = lse.view().data;
    args.dloss = dloss.view().data;
    args.dlogits = dx.view().data;
    kernel("cross_entropy", x, &KernelTable::cross_entropy_backward)(args);
    b.give(0, dx);
  });
}

Tensor cross_entropy_composed(const Tensor& logits, const Tensor& targets,
                              const CrossEntropyOptions& options) {
  check_cross_entropy(logits, targets, options);
  const double normalizer = cross_entropy_normalizer(logits, targets, options);
  const std::int64_t rows = logits.size(0), classes = logits.size(1);
  // The target distribution of each row, all zeros where the row is ignored.
  std::vector<double> distribution(static_cast<std::size_t>(rows * classes), 0.0);
  const std::vector<std::int64_t> host = targets.to_vector<std::int64_t>();
  for (std::size_t i = 0; i < host.size(); ++i) {
    if (host[i] == options.ignore_index) continue;
    double* row = distribution.data() + i * static_cast<std::size_t>(classes);
    for (std::int64_t j = 0; j < classes; ++j)
      row[j] = options.label_smoothing / static_cast<double>(classes);
    row[host[i]] += 1 - options.label_smoothing;
  }
  const Tensor wanted = Tensor::from(distribution, logits.shape()).to(logits.dtype()).to(logits.device());
  return affine(sum(mul(wanted, log_softmax(logits))), -1 / normalizer, 0);
}

// y = sum of (p - t)^2 / normalizer.
Tensor mse_loss(const Tensor& prediction, const Tensor& target, double normalizer) {
  check_pair("mse_loss", prediction, target);
  const double divisor = element_normalizer("mse_loss", prediction, normalizer);
  return affine(sum(square(sub(prediction, target))), 1 / divisor, 0);
}

// y = sum of (max(x, 0) - x t + log(1 + exp(-|x|))) / normalizer; dx = dy / normalizer (sigmoid(x) - t),
// dt = -dy / normalizer x.
Tensor bce_with_logits(const Tensor& logits, const Tensor& target, double normalizer) {
  check_pair("bce_with_logits", logits, target);
  const double divisor = element_normalizer("bce_with_logits", logits, normalizer);
  const Tensor x = logits.detach().contiguous(), t = target.detach().contiguous();
  const Tensor loss = empty_like(x);
  kernel("bce_with_logits", x, &KernelTable::bce_with_logits)(loss.view(), x.view(), t.view());
  const Tensor y = affine(sum(loss), 1 / divisor, 0);
  return record("bce_with_logits", y, {logits, target}, {x, t}, [divisor](Backward& b) {
    const Tensor &x = b.saved(0), &t = b.saved(1);
    const Tensor dloss = spread(b.grad(), divisor, x.shape());
    if (b.wanted(0)) {
      const Tensor dx = empty_like(x);
      kernel("bce_with_logits", x, &KernelTable::bce_with_logits_backward)(dx.view(), dloss.view(), x.view(),
                                                                           t.view());
      b.give(0, dx);
    }
    if (b.wanted(1)) b.give(1, neg(mul(dloss, x)));
  });
}

Tensor bce_with_logits_composed(const Tensor& logits, const Tensor& target, double normalizer) {
  check_pair("bce_with_logits", logits, target);
  const double divisor = element_normalizer("bce_with_logits", logits, normalizer);
  const Tensor softplus = add(relu(logits), log(affine(exp(neg(abs(logits))), 1, 1)));
  return affine(sum(sub(softplus, mul(logits, target))), 1 / divisor, 0);
}

}  // namespace sesame
