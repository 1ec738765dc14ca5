#include "autograd/ops/norm.h"

#include "autograd/ops/op_support.h"
#include "autograd/ops/pointwise.h"
#include "autograd/ops/reduce.h"

namespace sesame {
namespace {

// Rows of x when its last axis is what an op works on.
std::int64_t rows_of(const Tensor& x) {
  std::int64_t rows = 1;
  for (int i = 0; i + 1 < x.dim(); ++i) rows *= x.size(i);
  return rows;
}

void check_norm(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta) {
  check_floating(op, "x", x);
  check_floating(op, "gamma", gamma);
  check_floating(op, "beta", beta);
  SESAME_CHECK(x.dim() >= 1, op, "x needs an axis to normalise over, got a scalar");
  SESAME_CHECK(gamma.shape() == Shape{x.size(-1)} && beta.shape() == gamma.shape(), op,
               "gamma and beta must be {} for x {}, got {} and {}", Shape{x.size(-1)}, x.shape(),
               gamma.shape(), beta.shape());
  // Master parameters of float32 go with an input of bfloat16; their gradients are float32 then.
  const bool master = x.dtype() == DType::BFloat16 && gamma.dtype() == DType::Float32;
  if (!master || gamma.device() != x.device()) check_same_kind(op, x, gamma);
  check_same_kind(op, gamma, beta);
}

void check_row_keys(const char* op, const Tensor& row_keys, std::int64_t rows, const Tensor& x) {
  SESAME_CHECK(row_keys.dtype() == DType::Int64 && row_keys.shape() == Shape{rows}, op,
               "row_keys must be int64 {}, one for each row of x {}; got {} {}", Shape{rows}, x.shape(),
               dtype_name(row_keys.dtype()), row_keys.shape());
  SESAME_CHECK(row_keys.device() == x.device(), op, "x is on {}, row_keys on {}", x.device().name(),
               row_keys.device().name());
}

const std::int64_t* keys_of(const Tensor& row_keys) {
  return row_keys.defined() ? static_cast<const std::int64_t*>(row_keys.view().data) : nullptr;
}

void* data_of(const Tensor& x) { return x.defined() ? x.view().data : nullptr; }

// Inputs of the node: x, residual (may be undefined), gamma, beta. Saved: sum, mean, rstd, gamma, row keys.
void norm_backward(Backward& b, const char* op, const DropoutSpec& dropout) {
  const Tensor &grad = b.grad(), &sum = b.saved(0), &gamma = b.saved(3), &row_keys = b.saved(4);
  const bool one_gradient = b.wanted(0) && b.wanted(1) && !dropout.active();
  const Tensor dx = b.wanted(0) ? empty_like(sum) : Tensor();
  const Tensor d_residual = b.wanted(1) && !one_gradient ? empty_like(sum) : Tensor();
  const Tensor d_gamma = b.wanted(2) ? empty_like(gamma) : Tensor();
  const Tensor d_beta = b.wanted(3) ? empty_like(gamma) : Tensor();
  LayerNormBackwardArgs args;
  args.dtype = sum.dtype();
  args.parameter_dtype = gamma.dtype();
  args.rows = rows_of(sum);
  args.cols = sum.size(-1);
  args.dy = data_of(grad);
  args.sum = data_of(sum);
  args.mean = data_of(b.saved(1));
  args.rstd = data_of(b.saved(2));
  args.gamma = data_of(gamma);
  args.dropout = dropout;
  args.row_keys = keys_of(row_keys);
  args.dx = data_of(dx);
  args.d_residual = data_of(d_residual);
  args.d_gamma = data_of(d_gamma);
  args.d_beta = data_of(d_beta);
  kernel(op, grad, &KernelTable::layer_norm_backward)(args);
  if (b.wanted(0)) b.give(0, dx);
  if (b.wanted(1)) b.give(1, one_gradient ? dx : d_residual);
  if (b.wanted(2)) b.give(2, d_gamma);
  if (b.wanted(3)) b.give(3, d_beta);
}

// layer_norm(residual + dropout(x)) and its node; without a residual the sum is x itself.
Tensor fused_norm(const char* op, const Tensor& x, const Tensor& residual, const Tensor& gamma,
                  const Tensor& beta, double eps, const DropoutSpec& dropout, const Tensor& row_keys) {
  const Tensor source = x.detach().contiguous(), scale = gamma.detach().contiguous();
  const Tensor shift = beta.detach().contiguous();
  const Tensor added = residual.defined() ? residual.detach().contiguous() : Tensor();
  const Tensor keys = row_keys.defined() ? row_keys.contiguous() : Tensor();
  const bool recording = will_record({x, residual, gamma, beta});
  const std::int64_t rows = rows_of(x);
  Tensor sum, mean, rstd;
  if (recording) {
    sum = residual.defined() ? empty_like(source) : source;
    mean = Tensor::empty({rows}, statistics_of(x));
    rstd = Tensor::empty({rows}, statistics_of(x));
  }
  const Tensor y = empty_like(source);
  LayerNormArgs args;
  args.dtype = x.dtype();
  args.parameter_dtype = gamma.dtype();
  args.rows = rows;
  args.cols = x.size(-1);
  args.x = data_of(source);
  args.residual = data_of(added);
  args.dropout = dropout;
  args.row_keys = keys_of(keys);
  args.gamma = data_of(scale);
  args.beta = data_of(shift);
  args.eps = eps;
  args.out = data_of(y);
  args.sum = residual.defined() ? data_of(sum) : nullptr;
  args.mean = data_of(mean);
  args.rstd = data_of(rstd);
  kernel(op, x, &KernelTable::layer_norm)(args);
  return record(op, y, {x, residual, gamma, beta}, {sum, mean, rstd, scale, keys},
                [op, dropout](Backward& b) { norm_backward(b, op, dropout); });
}

}  // namespace

// xhat = (x - mean) rstd, y = xhat gamma + beta; with g = dy gamma:
// dx = rstd (g - mean(g) - xhat mean(g xhat)), d gamma = sum of dy xhat, d beta = sum of dy over the rows.
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  check_norm("layer_norm", x, gamma, beta);
  return fused_norm("layer_norm", x, {}, gamma, beta, eps, {}, {});
}

Tensor layer_norm_composed(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  check_norm("layer_norm", x, gamma, beta);
  const Tensor centered = sub(x, mean(x, {-1}, true));
  const Tensor rstd = power(affine(mean(square(centered), {-1}, true), 1, eps), -0.5);
  return add(mul(mul(centered, rstd), gamma.to(x.dtype())), beta.to(x.dtype()));
}

// s = residual + dropout(x), y = layer_norm(s); ds as in layer_norm, d residual = ds, dx = dropout(ds) with
// the same draws.
Tensor dropout_add_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                              const Tensor& beta, double eps, const DropoutSpec& dropout,
                              const Tensor& row_keys) {
  constexpr const char* op = "dropout_add_layer_norm";
  check_norm(op, x, gamma, beta);
  check_floating(op, "residual", residual);
  check_same_kind(op, x, residual);
  SESAME_CHECK(x.dim() == 2 && x.shape() == residual.shape(), op,
               "x and residual must be [T, C], got {} and {}", x.shape(), residual.shape());
  if (dropout.active()) {
    SESAME_CHECK(row_keys.defined(), op, "dropout needs row_keys: pass Segments::token_keys()");
    check_row_keys(op, row_keys, x.size(0), x);
  }
  return fused_norm(op, x, residual, gamma, beta, eps, dropout, dropout.active() ? row_keys : Tensor());
}

Tensor dropout_add_layer_norm_composed(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                                       const Tensor& beta, double eps, const DropoutSpec& dropout,
                                       const Tensor& row_keys) {
  return layer_norm_composed(add(residual, sesame::dropout(x, dropout, row_keys)), gamma, beta, eps);
}

// y = x keep scale; dx = dy keep scale, keep drawn again from the same counters.
Tensor dropout(const Tensor& x, const DropoutSpec& spec, const Tensor& row_keys) {
  check_floating("dropout", "x", x);
  if (!spec.active()) return x;
  SESAME_CHECK(x.dim() == 2, "dropout", "x must be [rows, C], got {}", x.shape());
  if (row_keys.defined()) check_row_keys("dropout", row_keys, x.size(0), x);
  const Tensor source = x.detach().contiguous();
  const Tensor keys = row_keys.defined() ? row_keys.contiguous() : Tensor();
  const Tensor y = empty_like(source);
  const auto run = [spec](const Tensor& out, const Tensor& in, const Tensor& row_keys) {
    kernel("dropout", in, &KernelTable::dropout)(out.view(), in.view(),
                                                 row_keys.defined() ? row_keys.view() : View{}, spec);
  };
  run(y, source, keys);
  return record("dropout", y, {x}, {keys}, [run](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor dx = empty_like(b.grad());
    run(dx, b.grad(), b.saved(0));
    b.give(0, dx);
  });
}

}  // namespace sesame
