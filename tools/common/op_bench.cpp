#include "tools/common/op_bench.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "autograd/engine.h"
#include "autograd/ops.h"
#include "autograd/random.h"
#include "models/io/strict_json.h"
#include "nn/optim/adamw.h"
#include "nn/optim/clip.h"
#include "tools/common/program.h"
#include "tools/common/random_values.h"
#include "tools/common/timing.h"

namespace sesame {
namespace {

// What one direction of an op does at least; 0: not counted.
struct Cost {
  double flop = 0, bytes = 0;
};

struct Case {
  std::string name;
  std::function<Tensor()> run;  // undefined result: there is no gradient
  Cost forward, backward;
};

struct Result {
  Timings forward;
  std::optional<Timings> backward;
};

class OpBench {
 public:
  explicit OpBench(const OpBenchOptions& options) : o_(options) {}

  void run() {
    if (o_.lengths.empty() && o_.head_widths.empty()) {
      layer();
      tables();
    } else {
      attention_grid();
    }
  }

 private:
  std::int64_t rows() const { return o_.batch * o_.length; }
  double element() const { return static_cast<double>(dtype_size(o_.compute)); }

  Tensor activation(const Shape& shape) { return leaf(shape, {o_.compute, o_.tensors.device}); }
  Tensor parameter(const Shape& shape) { return leaf(shape, o_.tensors); }
  Tensor leaf(const Shape& shape, TensorOptions options) {
    leaves_.push_back(random_values(shape, options).set_requires_grad(true));
    return leaves_.back();
  }
  DropoutSpec drop() const { return make_dropout(o_.config.hidden_dropout_prob, 1); }
  bool wanted(const std::string& name) const { return name.starts_with(o_.only); }

  void layer() {
    const std::int64_t n = rows(), h = o_.config.hidden_size, f = o_.config.intermediate_size;
    const auto product = [n](std::int64_t out, std::int64_t in) {
      return 2.0 * static_cast<double>(n) * static_cast<double>(out) * static_cast<double>(in);
    };
    const double narrow = static_cast<double>(n * h) * element(),
                 broad = static_cast<double>(n * f) * element();
    const Segments segments(std::vector<std::int64_t>(static_cast<std::size_t>(o_.batch), o_.length),
                            {.device = o_.tensors.device});
    const Tensor x = activation({n, h}), residual = activation({n, h}), wide = activation({n, f});
    const Tensor w_qkv = parameter({3 * h, h}), b_qkv = parameter({3 * h});
    const Tensor w_up = parameter({f, h}), b_up = parameter({f});
    const Tensor w_down = parameter({h, f}), b_down = parameter({h}), gamma = parameter({h}),
                 beta = parameter({h});
    const auto linear_case = [&](const char* name, const auto& call, double flop) {
      measure({name, call, {flop}, {2 * flop}});
    };
    linear_case(
        "linear qkv", [&] { return linear(x, w_qkv, b_qkv); }, product(3 * h, h));
    attention_case("attention", o_.length, o_.config.num_attention_heads, h / o_.config.num_attention_heads);
    linear_case(
        "linear + gelu", [&] { return linear(x, w_up, b_up, Activation::Gelu); }, product(f, h));
    linear_case(
        "linear down", [&] { return linear(wide, w_down, b_down); }, product(h, f));
    measure({"dropout + add + layer_norm",
             [&] {
               return dropout_add_layer_norm(x, residual, gamma, beta, 1e-12, drop(), segments.token_keys());
             },
             {0, 4 * narrow},
             {0, 4 * narrow}});
    measure(
        {"layer_norm", [&] { return layer_norm(x, gamma, beta, 1e-12); }, {0, 2 * narrow}, {0, 3 * narrow}});
    measure({"gelu alone", [&] { return gelu(wide); }, {0, 2 * broad}, {0, 3 * broad}});
    measure({"dropout alone",
             [&] { return dropout(x, drop(), segments.token_keys()); },
             {0, 2 * narrow},
             {0, 2 * narrow}});
  }

  // Word embedding with words as frequent as in texts, and what comes after the backward pass.
  void tables() {
    const std::int64_t n = rows(), h = o_.config.hidden_size, vocabulary = o_.config.vocab_size;
    const double gathered = static_cast<double>(n * h) * 4, whole = static_cast<double>(vocabulary * h) * 4;
    RandomStream random(1);
    std::vector<std::int64_t> ids(static_cast<std::size_t>(n));
    for (std::int64_t& id : ids) {  // density of rank r falls as 1 / r (Zipf)
      id = static_cast<std::int64_t>(std::pow(static_cast<double>(vocabulary), random.uniform())) - 1;
    }
    const Tensor words = Tensor::from(ids).to(o_.tensors.device), table = parameter({vocabulary, h});
    measure({"embedding", [&] { return embedding(table, words); }, {0, 2 * gathered}, {0, gathered + whole}});

    std::vector<NamedParameter> parameters;
    double numbers = 0;
    for (const Tensor& t : leaves_) {
      if (t.dtype() != o_.tensors.dtype) continue;
      Tensor own = random_values(t.shape(), o_.tensors).set_requires_grad(true);
      accumulate_grad(own, random_values(t.shape(), o_.tensors));
      parameters.push_back({"p" + std::to_string(parameters.size()) + ".weight", own});
      numbers += static_cast<double>(own.numel());
    }
    const double size = static_cast<double>(dtype_size(o_.tensors.dtype));
    AdamW optimizer(parameters);
    measure({"gradient norm",
             [&] {
               global_grad_norm(parameters);
               return Tensor();
             },
             {0, numbers * size},
             {}});
    measure({"adamw",
             [&] {
               optimizer.step(1e-6);
               return Tensor();
             },
             {0, 7 * numbers * size},
             {}});
  }

  void attention_grid() {
    for (const std::int64_t length : o_.lengths.empty() ? std::vector{o_.length} : o_.lengths) {
      for (const std::int64_t width :
           o_.head_widths.empty() ? std::vector<std::int64_t>{64} : o_.head_widths) {
        attention_case("attention", length, o_.heads, width);
        leaves_.clear();
      }
    }
  }

  // Over as many sequences as there are tokens for.
  void attention_case(const std::string& name, std::int64_t length, std::int64_t heads, std::int64_t width) {
    const std::int64_t count = std::max<std::int64_t>(1, rows() / length);
    const Segments segments(std::vector<std::int64_t>(static_cast<std::size_t>(count), length),
                            {.device = o_.tensors.device});
    const Tensor qkv = activation({count * length, 3 * heads * width});
    const double work = static_cast<double>(count * length) * static_cast<double>(length * heads * width);
    shape_ = {{"tokens", count * length},
              {"length", length},
              {"heads", heads},
              {"head_width", width},
              {"dropout", o_.config.attention_probs_dropout_prob}};
    const AttentionOptions attend{.heads = heads,
                                  .dropout = make_dropout(o_.config.attention_probs_dropout_prob, 1)};
    measure({name, [&] { return self_attention(qkv, segments, attend); }, {4 * work}, {10 * work}});
    shape_ = OrderedJson::object();
  }

  void measure(const Case& one) {
    if (wanted(one.name)) print(one, timed(one));
  }

  Result timed(const Case& one) {
    const Device device = o_.tensors.device;
    const int calls = calls_per_wait(device);
    Result result;
    Tensor dy;
    for (int i = 0; i < o_.repeat + 2; ++i) {  // two rounds warm up
      std::vector<Tensor> outputs;
      const double forward = milliseconds([&] { outputs.push_back(one.run()); }, device, calls);
      if (i >= 2) result.forward.add(forward);
      if (!outputs[0].defined()) continue;
      if (!dy.defined()) dy = random_values(outputs[0].shape(), outputs[0].options());
      std::size_t next = 0;
      const double gradients = milliseconds(
          [&] {
            backward(outputs[next++], {.grad = dy});
            for (Tensor& leaf : leaves_) leaf.zero_grad();
          },
          device, calls);
      if (!result.backward) result.backward.emplace();
      if (i >= 2) result.backward->add(gradients);
    }
    return result;
  }

  void print(const Case& one, const Result& result) const {
    OrderedJson line = {{"what", one.name}, {"rows", rows()}};
    line.update(shape_);
    std::string text = fmt::format(
        "{:28}", shape_.empty() ? one.name
                                : fmt::format("{} {} x {} wide", one.name, shape_["length"].dump(),
                                              shape_["head_width"].dump()));
    add("forward", result.forward, one.forward, line, text);
    if (result.backward) add("backward", *result.backward, one.backward, line, text);
    print_line(o_.json ? json_text(line) : text);
  }

  static void add(const std::string& name, const Timings& times, Cost cost, OrderedJson& line,
                  std::string& text) {
    const double ms = times.least();
    line[name + "_ms"] = ms;
    line[name + "_median_ms"] = times.median();
    text += fmt::format(" {} {:8.3f} ms", name, ms);
    if (cost.flop > 0) {
      line[name + "_gflops"] = cost.flop / ms / 1e6;
      text += fmt::format(" {:8.1f} GFLOP/s", cost.flop / ms / 1e6);
    } else if (cost.bytes > 0) {
      line[name + "_bytes"] = cost.bytes;
      line[name + "_gb_per_s"] = cost.bytes / ms / 1e6;
      text += fmt::format(" {:8.1f} GB/s   ", cost.bytes / ms / 1e6);
    }
  }

  const OpBenchOptions& o_;
  std::vector<Tensor> leaves_;                 // what gets gradients
  OrderedJson shape_ = OrderedJson::object();  // of the attention that is being timed
};

}  // namespace

void bench_ops(const OpBenchOptions& options) { OpBench(options).run(); }

}  // namespace sesame
