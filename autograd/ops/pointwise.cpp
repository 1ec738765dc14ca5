#include "autograd/ops/pointwise.h"

#include "autograd/ops/op_support.h"

namespace sesame {
namespace {

// --- binary: operands are broadcast by stride 0; the engine sums gradients back ------------------

Tensor binary(const char* op, BinaryOp which, const Tensor& a, const Tensor& b) {
  SESAME_CHECK(a.defined() && b.defined(), op, "an operand is undefined");
  check_same_kind(op, a, b);
  const Shape shape = broadcast_shapes(op, a.shape(), b.shape());
  const Tensor out = Tensor::empty(shape, a.options());
  kernel(op, a, &KernelTable::binary)(which, out.view(), a.detach().expand(shape).view(),
                                      b.detach().expand(shape).view());
  return out;
}

// Larger or smaller of two. `b_wins` has the sign of b's lead over a: positive where b was chosen.
Tensor choose(const char* op, BinaryOp which, const Tensor& a, const Tensor& b) {
  return record(op, binary(op, which, a, b), {a, b}, {a, b}, [op, which](Backward& back) {
    const Tensor &a = back.saved(0), &b = back.saved(1);
    const Tensor b_wins = which == BinaryOp::Maximum ? sub(b, a) : sub(a, b);
    const Tensor db = empty_like(back.grad());
    kernel(op, db, &KernelTable::unary_backward)(UnaryOp::Relu, db.view(), back.grad().view(), b_wins.view(),
                                                 {});
    if (back.wanted(0)) back.give(0, sub(back.grad(), db));
    if (back.wanted(1)) back.give(1, db);
  });
}

// --- unary ---------------------------------------------------------------------------------------

// What the derivative is computed from.
enum class Keep { Nothing, Input, Output };

Tensor unary(const char* op, UnaryOp which, Keep keep, const Tensor& x) {
  check_floating(op, "x", x);
  const Tensor source = x.detach().contiguous();
  const Tensor y = empty_like(source);
  kernel(op, x, &KernelTable::unary)(which, y.view(), source.view());
  const Tensor none;
  return record(op, y, {x}, {keep == Keep::Input ? source : none, keep == Keep::Output ? y : none},
                [op, which](Backward& b) {
                  if (!b.wanted(0)) return;
                  const Tensor dx = empty_like(b.grad());
                  kernel(op, dx, &KernelTable::unary_backward)(
                      which, dx.view(), b.grad().view(), view_or_none(b.saved(0)), view_or_none(b.saved(1)));
                  b.give(0, dx);
                });
}

}  // namespace

// z = a + b; da = dz, db = dz.
Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", binary("add", BinaryOp::Add, a, b), {a, b}, {}, [](Backward& back) {
    if (back.wanted(0)) back.give(0, back.grad());
    if (back.wanted(1)) back.give(1, back.grad());
  });
}

// z = a - b; da = dz, db = -dz.
Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", binary("sub", BinaryOp::Sub, a, b), {a, b}, {}, [](Backward& back) {
    if (back.wanted(0)) back.give(0, back.grad());
    if (back.wanted(1)) back.give(1, neg(back.grad()));
  });
}

// z = a b; da = dz b, db = dz a. An operand is kept only for the other's gradient.
Tensor mul(const Tensor& a, const Tensor& b) {
  const Tensor z = binary("mul", BinaryOp::Mul, a, b), none;
  const std::vector<Tensor> saved = {b.requires_grad() ? a : none, a.requires_grad() ? b : none};
  return record("mul", z, {a, b}, saved, [](Backward& back) {
    if (back.wanted(0)) back.give(0, mul(back.grad(), back.saved(1)));
    if (back.wanted(1)) back.give(1, mul(back.grad(), back.saved(0)));
  });
}

// z = a / b; da = dz / b, db = -da z.
Tensor div(const Tensor& a, const Tensor& b) {
  check_floating("div", "a", a);
  const Tensor z = binary("div", BinaryOp::Div, a, b), none;
  return record("div", z, {a, b}, {b, b.requires_grad() ? z : none}, [](Backward& back) {
    const Tensor da = div(back.grad(), back.saved(0));
    if (back.wanted(0)) back.give(0, da);
    if (back.wanted(1)) back.give(1, neg(mul(da, back.saved(1))));
  });
}

// z = max(a, b); dz goes to the larger, to a when they are equal.
Tensor maximum(const Tensor& a, const Tensor& b) { return choose("maximum", BinaryOp::Maximum, a, b); }
// z = min(a, b); dz goes to the smaller, to a when they are equal.
Tensor minimum(const Tensor& a, const Tensor& b) { return choose("minimum", BinaryOp::Minimum, a, b); }

// y = scale x + shift; dx = scale dy.
Tensor affine(const Tensor& x, double scale, double shift) {
  check_floating("affine", "x", x);
  const Tensor y = empty_like(x);
  kernel("affine", x, &KernelTable::affine)(y.view(), x.detach().contiguous().view(), scale, shift);
  return record("affine", y, {x}, {}, [scale](Backward& b) {
    if (b.wanted(0)) b.give(0, affine(b.grad(), scale, 0));
  });
}

// y = x^p; dx = dy p x^(p - 1).
Tensor power(const Tensor& x, double exponent) {
  check_floating("power", "x", x);
  const Tensor source = x.detach().contiguous();
  const Tensor y = empty_like(source);
  kernel("power", x, &KernelTable::power)(y.view(), source.view(), exponent);
  return record("power", y, {x}, {source}, [exponent](Backward& b) {
    if (!b.wanted(0)) return;
    const Tensor dx = empty_like(b.grad());
    kernel("power", dx, &KernelTable::power_backward)(dx.view(), b.grad().view(), b.saved(0).view(),
                                                      exponent);
    b.give(0, dx);
  });
}

// y = -x; dx = -dy.
Tensor neg(const Tensor& x) { return unary("neg", UnaryOp::Neg, Keep::Nothing, x); }
// y = e^x; dx = dy y.
Tensor exp(const Tensor& x) { return unary("exp", UnaryOp::Exp, Keep::Output, x); }
// y = ln x; dx = dy / x.
Tensor log(const Tensor& x) { return unary("log", UnaryOp::Log, Keep::Input, x); }
// y = sqrt(x); dx = dy / (2 y).
Tensor sqrt(const Tensor& x) { return unary("sqrt", UnaryOp::Sqrt, Keep::Output, x); }
// y = |x|; dx = dy sign(x), 0 at 0.
Tensor abs(const Tensor& x) { return unary("abs", UnaryOp::Abs, Keep::Input, x); }
// y = x^2; dx = 2 x dy.
Tensor square(const Tensor& x) { return unary("square", UnaryOp::Square, Keep::Input, x); }
// y = max(x, 0); dx = dy where x > 0.
Tensor relu(const Tensor& x) { return unary("relu", UnaryOp::Relu, Keep::Input, x); }
// y = 1 / (1 + e^-x); dx = dy y (1 - y).
Tensor sigmoid(const Tensor& x) { return unary("sigmoid", UnaryOp::Sigmoid, Keep::Output, x); }
// y = tanh x; dx = dy (1 - y^2).
Tensor tanh(const Tensor& x) { return unary("tanh", UnaryOp::Tanh, Keep::Output, x); }
// y = x s(x), s = sigmoid; dx = dy (s + x s (1 - s)).
Tensor swish(const Tensor& x) { return unary("swish", UnaryOp::Swish, Keep::Input, x); }
// y = x Phi(x); dx = dy (Phi(x) + x phi(x)), phi the normal density.
Tensor gelu(const Tensor& x) { return unary("gelu", UnaryOp::Gelu, Keep::Input, x); }
// y = x / 2 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3); dx = dy (y / x + x / 2 (1 - tanh^2 u) du/dx).
Tensor gelu_tanh(const Tensor& x) { return unary("gelu_tanh", UnaryOp::GeluTanh, Keep::Input, x); }

}  // namespace sesame
