#include "autograd/ops/matmul.h"

#include <algorithm>
#include <utility>

#include "autograd/ops/gemm.h"
#include "autograd/ops/op_support.h"

namespace sesame {
namespace {

// A batch of matrices as BLAS takes it.
struct Operand {
  Tensor source;  // keeps a copy alive where one was needed
  bool transpose = false;
  std::int64_t ld = 1, step = 0;
};

// Finds the distance between consecutive matrices of x [.., m, n]; false when it is not the same everywhere.
bool uniform_step(const Tensor& x, std::int64_t& step) {
  step = 0;
  std::int64_t expected = 0;
  for (int i = x.dim() - 3; i >= 0; --i) {
    if (x.size(i) == 1) continue;
    if (step == 0) step = expected = x.strides()[i];
    if (x.strides()[i] != expected) return false;
    expected *= x.size(i);
  }
  return true;
}

// Describes x to BLAS without copying; false when its strides do not allow that. Strides along an axis of
// size 1 mean nothing.
bool describe(const Tensor& x, Operand& operand) {
  const std::int64_t rows = x.size(-2), cols = x.size(-1);
  const std::int64_t row_stride = x.strides()[-2], col_stride = x.strides()[-1];
  operand.source = x;
  if ((cols <= 1 || col_stride == 1) && (rows <= 1 || row_stride >= std::max<std::int64_t>(cols, 1))) {
    operand.transpose = false;
    operand.ld = rows <= 1 ? std::max<std::int64_t>(cols, 1) : row_stride;
  } else if ((rows <= 1 || row_stride == 1) && (cols <= 1 || col_stride >= std::max<std::int64_t>(rows, 1))) {
    operand.transpose = true;
    operand.ld = cols <= 1 ? std::max<std::int64_t>(rows, 1) : col_stride;
  } else {
    return false;
  }
  return uniform_step(x, operand.step);
}

Operand as_operand(const Tensor& x) {
  Operand operand;
  if (!describe(x, operand)) describe(x.detach().contiguous(), operand);
  return operand;
}

std::int64_t batch_of(const Tensor& x) {
  std::int64_t batch = 1;
  for (int i = 0; i + 2 < x.dim(); ++i) batch *= x.size(i);
  return batch;
}

// A B without history. b with two axes is shared by all matrices of a.
Tensor product(const Tensor& a, const Tensor& b) {
  Shape shape = a.shape();
  shape[-1] = b.size(-1);
  const Tensor c = Tensor::empty(shape, a.options());
  if (b.dim() == 2 && a.dim() > 2) {
    const std::int64_t rows = batch_of(a) * a.size(-2);
    gemm("matmul", c.reshape({rows, b.size(1)}), a.detach().reshape({rows, a.size(-1)}), b);
  } else {
    gemm("matmul", c, a, b);
  }
  return c;
}

// A^T dC; summed over the matrices of a when b was shared by them.
Tensor right_gradient(const Tensor& a, const Tensor& grad, bool shared) {
  if (!shared) return product(a.transpose(-1, -2), grad);
  const std::int64_t rows = batch_of(a) * a.size(-2);
  return product(a.reshape({rows, a.size(-1)}).transpose(0, 1), grad.reshape({rows, grad.size(-1)}));
}

void check_shapes(const Tensor& a, const Tensor& b) {
  SESAME_CHECK(a.dim() >= 2 && b.dim() >= 2, "matmul", "needs matrices, got {} and {}", a.shape(), b.shape());
  SESAME_CHECK(a.size(-1) == b.size(-2), "matmul", "inner sizes differ: {} x {}", a.shape(), b.shape());
  bool fits = b.dim() == 2 || a.dim() == b.dim();
  for (int i = 0; fits && b.dim() > 2 && i + 2 < a.dim(); ++i) fits = a.size(i) == b.size(i);
  SESAME_CHECK(fits, "matmul",
               "leading sizes differ: {} x {}; the right side must have the same ones or none", a.shape(),
               b.shape());
}

}  // namespace

Product product_into(const Tensor& c, const Tensor& a, const Tensor& b, double beta) {
  Operand left = as_operand(a), right = as_operand(b);
  GemmArgs args;
  args.dtype = a.dtype();
  args.c_dtype = c.dtype();
  args.m = c.size(-2);
  args.n = c.size(-1);
  args.k = a.size(-1);
  args.batch = batch_of(c);
  args.transpose_a = left.transpose;
  args.transpose_b = right.transpose;
  args.a = left.source.view().data;
  args.lda = left.ld;
  args.step_a = left.step;
  args.b = right.source.view().data;
  args.ldb = right.ld;
  args.step_b = right.step;
  args.c = c.view().data;
  args.ldc = args.m <= 1 ? std::max<std::int64_t>(args.n, 1) : c.strides()[-2];
  args.step_c = args.m * args.n;
  args.beta = beta;
  return {args, std::move(left.source), std::move(right.source)};
}

void gemm(const char* op, const Tensor& c, const Tensor& a, const Tensor& b, double beta) {
  kernel(op, c, &KernelTable::gemm)(product_into(c, a, b, beta).args);
}

// C = A B; dA = dC B^T, dB = A^T dC.
Tensor matmul(const Tensor& a, const Tensor& b) {
  check_floating("matmul", "the left side", a);
  check_floating("matmul", "the right side", b);
  check_same_kind("matmul", a, b);
  check_shapes(a, b);
  const Tensor none;
  const bool shared = b.dim() == 2 && a.dim() > 2;
  return record("matmul", product(a, b), {a, b}, {b.requires_grad() ? a : none, a.requires_grad() ? b : none},
                [shared](Backward& back) {
                  const Tensor& grad = back.grad();
                  if (back.wanted(0)) back.give(0, product(grad, back.saved(1).transpose(-1, -2)));
                  if (back.wanted(1)) back.give(1, right_gradient(back.saved(0), grad, shared));
                });
}

}  // namespace sesame
