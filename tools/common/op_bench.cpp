#include "tools/common/op_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "autograd/engine.h"
#include "autograd/ops.h"
#include "autograd/optimizer_step.h"
#include "autograd/random.h"
#include "models/io/strict_json.h"
#include "nn/init.h"
#include "tools/common/program.h"

namespace sesame {
namespace {

using Clock = std::chrono::steady_clock;

struct Case {
  std::string name;
  std::function<Tensor()> forward;
};

double elapsed(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

}  // namespace

void bench_ops(std::int64_t rows, const BertConfig& config, std::int64_t batch, double dropout_p, int repeat,
               bool json, TensorOptions options) {
  const std::int64_t h = config.hidden_size, f = config.intermediate_size;
  const auto random = [&](const Shape& shape) {
    Tensor t = Tensor::empty(shape, options);
    init_uniform(t, -1, 1, init_key(1, shape.str()));
    return t.set_requires_grad(true);
  };
  const Segments segments(std::vector<std::int64_t>(static_cast<std::size_t>(batch), rows / batch),
                          {.device = options.device});
  const DropoutSpec drop = make_dropout(dropout_p, 1);
  const Tensor x = random({rows, h}), residual = random({rows, h}), wide = random({rows, f}),
               qkv = random({rows, 3 * h});
  const Tensor w_qkv = random({3 * h, h}), b_qkv = random({3 * h}), w_up = random({f, h}), b_up = random({f});
  const Tensor w_down = random({h, f}), b_down = random({h}), gamma = random({h}), beta = random({h});
  const AttentionOptions attend{.heads = config.num_attention_heads, .dropout = drop};
  const std::vector<Case> cases = {
      {"linear qkv", [&] { return linear(x, w_qkv, b_qkv); }},
      {"attention", [&] { return self_attention(qkv, segments, attend); }},
      {"linear + gelu", [&] { return linear(x, w_up, b_up, Activation::Gelu); }},
      {"linear down", [&] { return linear(wide, w_down, b_down); }},
      {"dropout + add + layer_norm",
       [&] { return dropout_add_layer_norm(x, residual, gamma, beta, 1e-12, drop, segments.token_keys()); }},
      {"gelu alone", [&] { return gelu(wide); }},
      {"dropout alone", [&] { return dropout(x, drop, segments.token_keys()); }}};
  for (const Case& one : cases) {
    double forward = 1e30, backward_ms = 1e30;
    for (int i = 0; i < repeat + 2; ++i) {
      const Clock::time_point begin = Clock::now();
      const Tensor y = one.forward();
      forward = std::min(forward, elapsed(begin));
      const Tensor dy = Tensor::ones(y.shape(), y.options());
      const Clock::time_point middle = Clock::now();
      backward(y, {.grad = dy});
      backward_ms = std::min(backward_ms, elapsed(middle));
      for (Tensor t : {x, residual, wide, qkv, w_qkv, b_qkv, w_up, b_up, w_down, b_down, gamma, beta})
        t.zero_grad();
    }
    if (json) {
      print_line(json_text(OrderedJson(
          {{"what", one.name}, {"rows", rows}, {"forward_ms", forward}, {"backward_ms", backward_ms}})));
    } else {
      print_line(
          fmt::format("{:30} forward {:8.3f} ms   backward {:8.3f} ms", one.name, forward, backward_ms));
    }
  }
}

}  // namespace sesame
